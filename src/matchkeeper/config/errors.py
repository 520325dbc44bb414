"""All that is wrong with a configuration, in one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. Never holds the value of a secret."""

    source: str
    """The file or the environment variable; `override` for what a caller has set."""
    key: str = ""
    """Dotted: `redis.url`, `matchmaking.game_modes[1].teams`. Empty: the source itself."""
    found: str
    """What is the matter, beginning with a verb: `is 70000`, `is not a known key`."""
    allowed: str
    """What may stand there instead, as a sentence without its full stop."""

    def __str__(self) -> str:
        place = f"{self.source}: {self.key}" if self.key else self.source
        return f"{place} {self.found}; {self.allowed}"


class InvalidSettingsError(ConfigError):
    """Nothing starts with this configuration. `problems` has every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems]
        if len(lines) > 1:
            lines = [f"The configuration has {len(lines)} problems:", *(f"  {x}" for x in lines)]
        super().__init__(
            "\n".join(lines), hint="docs/configuration.md describes every key and variable."
        )
        self.problems = tuple(problems)
