"""Players who came together: whether all of them were told what holds for a party."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crowd.history import Event
from crowd.judge import Fault, Finding
from crowd.people import Person
from crowd.requests import Names
from matchkeeper.swarm.player import Party, Player
from matchkeeper.swarm.tally import Invariant, Tally


class Parties:
    """Those of whom somebody is about."""

    def __init__(self, *, names: Names, tally: Tally) -> None:
        self._names = names
        self._tally = tally
        self._by_numbers: dict[range, Party] = {}
        self._party_of: dict[str, Party] = {}
        """By the names of its players."""

    def come(self, group: Sequence[Person]) -> Party | None:
        """They ask. None for a player alone."""
        numbers = group[0].together
        if len(numbers) == 1:
            return None
        party = self._by_numbers[numbers] = Party(
            name=self._names.party(numbers),
            players=frozenset(map(self._names.player, numbers)),
            numbers=numbers,
            as_one=bool(group[-1].variant),
            about=len(numbers),
        )
        self._party_of.update(dict.fromkeys(party.players, party))
        return party

    def knows(self, numbers: range) -> bool:
        """Whether such a party is about."""
        return numbers in self._by_numbers

    def heard(self, player: Player, news: Event) -> None:
        """Judges news of one of them, once the player has heard it."""
        party = player.party
        if party is None:
            return
        if not party.heard_of:
            party.heard_of = True
            self._tally.checked[Invariant.PARTY_WHOLE] += 1
        self._judge(party.heard(news.player, player))
        if news.word == "DeQueued":
            self._tally.checked[Invariant.LEFT_BY] += 1
            self._judge(party.left(news))

    def seated(self, event: Event) -> None:
        """Judges an offer, or what a player was told of a match."""
        if not self._party_of:
            return
        here = (self._party_of.get(player) for player, _ in event.players)
        for party in {party.name: party for party in here if party is not None}.values():
            self._judge(party.seated(event))

    def gone(self, player: Player) -> None:
        """Nothing more is to come for this player."""
        party = player.party
        if party is None:
            return
        party.about -= 1
        if not party.about:
            del self._by_numbers[party.numbers]
            for name in party.players:
                del self._party_of[name]

    def _judge(self, findings: Iterable[Finding]) -> None:
        for each in findings:
            left = each.fault is Fault.LEFT_BY
            self._tally.violated(Invariant.LEFT_BY if left else Invariant.PARTY_WHOLE, each.text)
