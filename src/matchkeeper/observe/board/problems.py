"""What is wrong now, and what it means for players: the banner of the live page.

The limits are those of the alerts in `deploy/prometheus/rules.yml`, without their patience: who
looks at the page wants to know at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from matchkeeper.domain.agreement import ModeState

RUNBOOKS = "docs/runbooks"
"""Where the pages stand, in the repository and on the server; as in the alerts."""
OLDEST_WAIT_SECONDS = 120.0
LAG_SECONDS = 0.1
_BACK_SHARE = 0.1
_BACK_PLAYERS = 5
_NAMED = 3


class Severity(StrEnum):
    """How much players feel it."""

    CRITICAL = "critical"
    WARNING = "warning"


class Problem(msgspec.Struct, kw_only=True, frozen=True):
    """One sentence for players, one page for those who mend it. Its text changes only when the
    situation does: screen readers read every change aloud.
    """

    name: str
    severity: Severity
    title: str
    meaning: str
    runbook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSituation:
    """One queue, as far as it may be a reason to worry. Counts are of the last ten minutes."""

    mode: str
    required_players: int
    waiting: int
    oldest_seconds: float
    set_aside: int = 0
    """Dead letters that are still there; two stand for many."""
    not_started: int = 0
    """Players whose match no game server started."""
    matched: int = 0
    states: frozenset[ModeState] = frozenset()
    """What an operator decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the banner is decided from."""

    breaker: str
    redis_failing: bool
    """The last operations on Redis failed."""
    redis_problem: str
    """Why Redis cannot be used although it answers; empty where it can."""
    not_ready: tuple[str, ...]
    """Why, apart from the breaker."""
    game_server_failures: int
    """Offers in a row that nobody heard."""
    claims_refused: Sequence[str]
    """Pods that claim matches and start none."""
    subscribers: int | None
    """None: not known yet."""
    lag_seconds: float
    """On average over the last minute."""
    queues: Sequence[QueueSituation]
    differences: Sequence[str] = ()
    """Settings in which other servers differ."""
    noticed: Sequence[Problem] = ()
    """What those who look at something by themselves have to tell."""


def problems(now: Situation) -> list[Problem]:
    """What is wrong, the worst first."""
    found = [
        *_redis(now),
        *_server(now),
        *_settings(now),
        *_game_servers(now),
        *_claimers(now),
        *now.noticed,
    ]
    for queue in now.queues:
        found.extend((*_queue(queue), *_held(queue)))
    return sorted(found, key=lambda each: each.severity is not Severity.CRITICAL)


def problem(name: str, severity: Severity, title: str, meaning: str, page: str) -> Problem:
    """`page`: the name of its runbook."""
    runbook = f"{RUNBOOKS}/{page}.md"
    return Problem(name=name, severity=severity, title=title, meaning=meaning, runbook=runbook)


def _redis(now: Situation) -> Iterator[Problem]:
    if now.breaker == "forced_open":
        yield problem(
            "breaker_forced", Severity.CRITICAL,
            "An operator holds the circuit breaker open",
            "This server makes no matches and answers no requests until it is released. Players in "
            "the queue stay there, at their place.",
            "breaker-open",
        )  # fmt: skip
    elif now.redis_problem:
        yield problem(
            "redis_unusable", Severity.CRITICAL,
            "Redis answers, but does not do its work",
            f"{now.redis_problem}. This server makes no matches until that is mended. Players in "
            "the queue stay there, at their place; requests in streams wait.",
            "breaker-open",
        )  # fmt: skip
    elif now.breaker != "closed":
        yield problem(
            "breaker_open", Severity.CRITICAL,
            "Redis is out of reach",
            "This server makes no matches and answers no requests. Players in the queue stay "
            "there, at their place, and matching goes on by itself when Redis is back.",
            "breaker-open",
        )  # fmt: skip
    elif now.redis_failing:
        yield problem(
            "redis_failing", Severity.WARNING,
            "Redis fails to answer",
            "Players wait longer: what failed is tried again. Nobody loses their place. If it goes "
            "on, the circuit breaker opens and no matches are made.",
            "breaker-open",
        )  # fmt: skip


def _server(now: Situation) -> Iterator[Problem]:
    if now.not_ready:
        yield problem(
            "not_ready", Severity.WARNING,
            "This server is not ready",
            f"{' '.join(now.not_ready)} Players notice nothing while another server is ready; "
            "with this one alone, no matches are made.",
            "server-not-ready",
        )  # fmt: skip
    if now.lag_seconds > LAG_SECONDS:
        yield problem(
            "lag", Severity.WARNING,
            "This server is late in all it does",
            "Matches are made late, and players are told late. If it grows, calls to Redis run "
            "into their deadlines.",
            "event-loop-lag",
        )  # fmt: skip


def _settings(now: Situation) -> Iterator[Problem]:
    if now.differences:
        yield problem(
            "settings_differ", Severity.WARNING,
            "Servers run different settings",
            f"{'; '.join(now.differences)}. Players notice nothing: a mode that differs is "
            "matched by the servers with the newest settings alone.",
            "settings-differ",
        )  # fmt: skip


def _game_servers(now: Situation) -> Iterator[Problem]:
    if now.game_server_failures:
        yield problem(
            "no_game_server", Severity.CRITICAL,
            "Game Server unavailable",
            "Nobody can play: matches are ready, but no game server listens for them. Players stay "
            "in the queue, at their place, until one does.",
            "no-game-server",
        )  # fmt: skip
    elif now.subscribers == 0 and now.breaker == "closed":
        yield problem(
            "no_subscriber", Severity.WARNING,
            "No game server listens for matches",
            "Players who ask for a match wait until a game server listens. Nobody loses a place.",
            "no-game-server",
        )  # fmt: skip


def _claimers(now: Situation) -> Iterator[Problem]:
    pods = now.claims_refused
    if not pods:
        return
    more = f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    claim, start = ("claims", "starts") if len(pods) == 1 else ("claim", "start")
    yield problem(
        "claims_refused", Severity.WARNING,
        f"{', '.join(pods[:_NAMED])}{more} {claim} matches and {start} none",
        "Players wait longer: their match was taken, and did not start. Its claims are refused for "
        "a while, so that other game servers get the matches; nobody loses their place.",
        "claims-refused",
    )  # fmt: skip


def _queue(queue: QueueSituation) -> Iterator[Problem]:
    mode = queue.mode
    if queue.oldest_seconds > OLDEST_WAIT_SECONDS and queue.waiting >= queue.required_players:
        yield problem(
            f"oldest_wait {mode}", Severity.WARNING,
            f"Somebody in {mode} has waited for {_minutes(queue.oldest_seconds)}",
            "Players wait for minutes and leave. Either no matches are made in this mode, or some "
            "players fit nobody.",
            "oldest-wait",
        )  # fmt: skip
    if queue.set_aside:
        who = "1 player was" if queue.set_aside == 1 else "Players were"
        yield problem(
            f"poisoned {mode}", Severity.WARNING,
            f"{who} set aside in {mode} within the last 10 minutes",
            "They are in no queue any more, and wait for a match that will not come unless they "
            "are requeued or their game server asks again. All others are matched.",
            "poisoned-tickets",
        )  # fmt: skip
    if queue.not_started > max(_BACK_PLAYERS, _BACK_SHARE * queue.matched):
        yield problem(
            f"not_claimed {mode}", Severity.WARNING,
            f"Game servers do not take the matches of {mode}",
            "Players go back to the queue since no game server started their match. They keep "
            "their place, but wait longer; if it gets worse, nobody can play.",
            "matches-not-claimed",
        )  # fmt: skip


def _held(queue: QueueSituation) -> Iterator[Problem]:
    mode = queue.mode
    if ModeState.PAUSED in queue.states:
        yield problem(
            f"paused {mode}", Severity.WARNING,
            f"An operator has paused {mode}",
            f"Nobody is matched in it. Players wait, at their place, until somebody runs "
            f"`matchkeeper queue resume {mode}`.",
            "mode-held",
        )  # fmt: skip
    if ModeState.DRAINED in queue.states:
        yield problem(
            f"drained {mode}", Severity.WARNING,
            f"An operator has drained {mode}",
            f"Players who ask for it are refused (`mode_drained`), until somebody runs "
            f"`matchkeeper queue resume {mode}`. Those who wait already are matched.",
            "mode-held",
        )  # fmt: skip


def _minutes(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"more than {minutes} minutes"
    return f"more than {minutes // 60} hours"
