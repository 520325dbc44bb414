"""What happened, told once by the code that did it, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from matchkeeper.observe.facts.fact import Fact, Fields, Level
from matchkeeper.observe.facts.handoff import HandoffFacts
from matchkeeper.observe.facts.lifetime import LifetimeFacts
from matchkeeper.observe.facts.of_redis import RedisFacts
from matchkeeper.observe.facts.people import PeopleFacts
from matchkeeper.observe.facts.requests import RequestFacts
from matchkeeper.observe.facts.rounds import RoundFacts

__all__ = ["ALL", "Fact", "Facts", "Fields", "Hears", "Level"]

Hears = Iterable[tuple[Fact[Any], Callable[..., None]]]
"""What a listener hears, and by what: a function that names the fields it asks for."""

_PARTS = (LifetimeFacts, RedisFacts, RoundFacts, HandoffFacts, RequestFacts, PeopleFacts)
ALL: tuple[Fact[Any], ...] = tuple(
    each for part in _PARTS for each in vars(part).values() if isinstance(each, Fact)
)
"""In the order of the documents."""


class Facts(LifetimeFacts, RedisFacts, RoundFacts, HandoffFacts, RequestFacts, PeopleFacts):
    """Tells facts to those who listen, in the order in which they came: `facts.expired(…)`. One of
    them that raises keeps the fact from those behind it, and is the teller's defect.
    """

    def __init__(self, *listeners: Hears) -> None:
        self._hearers: dict[Fact[Any], list[Callable[[Fields], None]]] = {}
        for each in ALL:
            vars(self)[each.name] = _teller(self._hearers.setdefault(each, []))
        for listener in listeners:
            self.listen(listener)

    def listen(self, listener: Hears) -> None:
        """Tells it from now on, too."""
        for each, hear in listener:
            self._hearers[each].append(each.heard_by(hear))


def _teller(hearers: list[Callable[[Fields], None]]) -> Callable[..., None]:
    def tell(**fields: Any) -> None:
        for hear in hearers:
            hear(fields)

    return tell
