"""Whether Redis keeps what it is given, as its own settings and its disk say."""

from __future__ import annotations

from matchkeeper.observe.board.problems import Problem, Severity, problem
from matchkeeper.observe.runtime import Runtime
from matchkeeper.operate.doctor import Finding, Verdict, examine_keeping
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.connection import Connection
from matchkeeper.store.facts import ServerFacts, gather_server

_EVERY_SECONDS = 60.0


class RedisDoubts:
    """What the doctor finds doubtful or wrong while the server runs. Facts that Redis does not tell
    count as good.
    """

    def __init__(self, connection: Connection, runtime: Runtime) -> None:
        self._connection = connection
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._found: dict[str, Finding] = {}
        self._asked_in_vain = False

    async def run(self) -> None:
        """Looks again and again until the server stops. Raises StoreError; starting again is
        safe.
        """
        while not self._asked_in_vain and not await pause(self._stop, _EVERY_SECONDS):
            self.take(await gather_server(self._connection))

    def take(self, told: ServerFacts) -> None:
        """Takes in a look at Redis; tells new problems, and problems that are mended."""
        findings = examine_keeping(told, self._connection.options.durability)
        self._asked_in_vain = not any(each.told for each in findings)
        bad = {
            each.check: each for each in findings if each.told and each.verdict is not Verdict.GOOD
        }
        for check in sorted(self._found.keys() - bad.keys()):
            self._facts.redis_trusted(check=check)
        for check in sorted(bad.keys() - self._found.keys()):
            each = bad[check]
            self._facts.redis_doubtful(check=check, found=each.found, mend=each.mend)
        # The text is kept as first told: how long ago something was changes with each look.
        self._found = {check: self._found.get(check, each) for check, each in bad.items()}
        self._facts.redis_doubts(count=len(bad))

    def problems(self) -> list[Problem]:
        """The present problems, for readiness and for the live page."""
        return [
            problem(
                f"redis_doubtful {check}", Severity.WARNING,
                f"Redis may lose players: {each.found}",
                "All is well until Redis is full or restarts; then players may be gone, and wait "
                f"for a match that does not come. {each.mend}",
                "redis-doubtful",
            )
            for check, each in sorted(self._found.items())
        ]  # fmt: skip
