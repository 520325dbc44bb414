"""The strategy of modes with rules: correct and simple, for some hundred players at a time.

First come, first served: a match is made around the ticket that waits longest of those for which
one is found. Of the others, those that may be in a match with it are taken in the order of their
waiting, where each preference that they keep counts as much waiting as it is worth; whoever cannot
be in a match with those taken before is passed over. Where that leads nowhere, the search goes back
some steps. What comes out is checked by the checker. The work of a round is bounded: beyond that
tickets wait for another round, although a match may be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from operator import attrgetter

from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.rule import NewOpponents, Rule, Same, Scope
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.rules.checker import refusals
from matchkeeper.matching.rules.folds import (
    Entry,
    Fold,
    Part,
    State,
    added,
    asks,
    fold_of,
    folds_of,
)
from matchkeeper.matching.rules.lineup import Met, nobody, players_of
from matchkeeper.matching.rules.places import Room, region_of, roles_of, room_of
from matchkeeper.matching.rules.seating import seated

_ROUND_WORK = 400_000
"""Tickets that are looked at for others in one round."""
_ANCHOR_WORK = 4_000
"""The same around one ticket, beyond looking once at each."""
_TURNS = 977
"""How fast the place changes from which on tickets are looked at, where not all are."""
_MOST_SECONDS = 86_400.0
"""What a preference is worth at most, in the order in which tickets are taken."""
_SEATINGS = 12
"""Groups of tickets around one ticket that are divided into teams."""


def by_rules(
    tickets: Sequence[Ticket], now: float, *, mode: GameMode, met: Met = nobody
) -> Pairing:
    """Proposals that keep the rules of the mode. `now`: Unix time in seconds. `met`: who was in a
    match with whom lately.
    """
    rules = mode.rules
    if rules is None:
        raise ValueError(f"{mode.name} has no rules")
    waiting = sorted(tickets, key=attrgetter("enqueued_at"))
    work = _ROUND_WORK
    taken: set[str] = set()
    proposals: list[Proposal] = []
    refused: list[str] = []
    groups = _apart(waiting, mode, rules, now)
    for nth, entries in enumerate(groups):
        group = _Group(entries, rules, now=now, met=met, work=work // (len(groups) - nth))
        for proposal in group.matches():
            if broken := refusals(proposal, mode, now, met=met):
                refused += [f"{each.rule}: {each.why}" for each in broken[:1]]
                continue
            proposals.append(proposal)
            taken |= {each.ticket_id for each in proposal.tickets}
        work -= group.worked
    return Pairing(
        proposals=tuple(proposals),
        unmatched=tuple([each for each in waiting if each.ticket_id not in taken]),
        refused=tuple(refused),
    )


def _apart(
    waiting: Sequence[Ticket], mode: GameMode, rules: MatchRules, now: float
) -> list[list[Entry]]:
    """Tickets that can never meet are looked at apart: those with another value of what all must
    have the same. The group with the longest waiting comes first.
    """
    names = [
        each.demand.attribute
        for each in rules.rules
        if isinstance(each.demand, Same)
        and each.demand.scope is Scope.MATCH
        and each.worth_seconds is None
        and each.off_after_seconds is None
    ]
    groups: dict[object, list[Entry]] = {}
    for ticket in waiting:
        players = tuple(players_of(ticket, mode))
        entry = Entry(ticket=ticket, players=players, waited=max(0.0, now - ticket.enqueued_at))
        key = tuple([tuple({str(one.values[name]) for one in players}) for name in names])
        groups.setdefault(key, []).append(entry)
    return list(groups.values())


class _Group:
    """Tickets that may meet."""

    def __init__(
        self,
        entries: Sequence[Entry],
        rules: MatchRules,
        *,
        now: float,
        met: Met,
        work: int,
    ) -> None:
        self._rules = rules
        self._now = now
        self._met = met
        self._work = work
        self.worked = 0
        """How often a ticket was looked at for others."""
        self._folds: list[Fold] = [room_of(rules), *folds_of(rules)]
        if rules.region is not None:
            self._folds.append(region_of(rules.region))
        if (roles := roles_of(rules)) is not None:
            self._folds.append(roles)  # behind all others: it takes the longest
        self._start = tuple([fold.start for fold in self._folds])
        self._tastes = _Tastes(rules, met, now)
        parts = [[fold.read(entry) for fold in self._folds] for entry in entries]
        self._free: dict[int, tuple[Entry, list[Part]]] = dict(
            enumerate(zip(entries, parts, strict=True))
        )

    def matches(self) -> Iterator[Proposal]:
        """A match around each ticket for which one is found, as long as there is work left."""
        for number in self._anchors():
            found = self._around(number) if number in self._free else None
            if found is not None:
                numbers, proposal = found
                for each in numbers:
                    del self._free[each]
                yield proposal

    def _anchors(self) -> Iterator[int]:
        """Tickets as they wait. With half of the work done, the others come from somewhere in the
        middle on, elsewhere in each round: those in front may be in no match for a long time, and
        must not keep those behind them from being looked at.
        """
        numbers = list(self._free)
        for at, number in enumerate(numbers):
            if self.worked > self._work // 2:
                rest = numbers[at:]
                break
            yield number
        else:
            return
        first = int(self._now * _TURNS) % len(rest)
        for number in (*rest[first:], *rest[:first]):
            if self.worked >= self._work:
                return
            yield number

    def _around(self, number: int) -> tuple[list[int], Proposal] | None:
        entry, parts = self._free[number]
        state = added(self._folds, self._start, parts)
        if state is None:
            return None
        return self._filled(number, state, self._candidates(number, entry, state))

    def _candidates(self, number: int, entry: Entry, state: tuple[State, ...]) -> list[int]:
        """Who may be in a match with a ticket, in the order in which they are taken."""
        found = []
        self.worked += len(self._free)
        for each, (other, parts) in self._free.items():
            if each == number or added(self._folds, state, parts) is None:
                continue
            if (taste := self._tastes.of(entry, other)) is not None:
                found.append((other.ticket.enqueued_at - taste, each))
        return [each for _, each in sorted(found)]

    def _filled(
        self, number: int, state: tuple[State, ...], candidates: Sequence[int]
    ) -> tuple[list[int], Proposal] | None:
        """Takes one after another; goes back where that leads nowhere."""
        behind = self._players_behind(candidates)
        taken, states, places = [number], [state], [0]
        work, seatings = _ANCHOR_WORK + len(candidates), _SEATINGS
        while taken:
            room: Room = states[-1][0]
            fewest, most, at = room[4], room[5], places[-1]
            while room[0] < most and room[0] + behind[at] >= fewest and behind[at] and work > 0:
                each = candidates[at]
                at, work = at + 1, work - 1
                after = added(self._folds, states[-1], self._free[each][1])
                if after is not None:
                    places[-1] = at
                    taken.append(each)
                    states.append(after)
                    places.append(at)
                    break
            else:
                if fewest <= room[0] <= most:
                    seatings -= 1
                    if (found := self._seated(taken)) is not None:
                        self.worked += _ANCHOR_WORK + len(candidates) - work
                        return taken, found
                if seatings <= 0 or work <= 0:
                    break
                taken.pop()
                states.pop()
                places.pop()
        self.worked += _ANCHOR_WORK + len(candidates) - work
        return None

    def _players_behind(self, candidates: Sequence[int]) -> list[int]:
        """How many players there are from each candidate on; 0 behind the last."""
        behind = [0]
        for each in reversed(candidates):
            behind.append(behind[-1] + len(self._free[each][0].players))
        return behind[::-1]

    def _seated(self, numbers: Sequence[int]) -> Proposal | None:
        entries = [self._free[each][0] for each in sorted(numbers)]
        return seated(entries, self._rules, self._now, met=self._met)


class _Tastes:
    """Preferences, between two tickets: not what only teams or roles decide."""

    def __init__(self, rules: MatchRules, met: Met, now: float) -> None:
        self._met = met
        self._known: dict[str, Mapping[str, float]] = {}
        self._now = now
        self._folds: list[tuple[Rule, Fold]] = []
        self._new: list[tuple[Rule, float]] = []
        self._all_alone = all(each.largest == 1 for each in rules.teams)
        for rule in rules.rules:
            if isinstance(rule.demand, NewOpponents):
                self._new.append((rule, rule.demand.within_seconds))
            elif rule.worth_seconds is not None:
                fold = fold_of(rule, rules)
                if fold is not None:
                    self._folds.append((rule, fold))

    def of(self, one: Entry, other: Entry) -> float | None:
        """What the preferences that two tickets keep are worth, in seconds; None where they lack
        more than one of them accepts.
        """
        kept, lacks = 0.0, {id(one): 0.0, id(other): 0.0}
        for rule, fold in self._folds:
            worth = rule.worth_seconds or 0.0
            both = added([fold], [fold.start], [fold.read(one)])
            both = None if both is None else added([fold], both, [fold.read(other)])
            if both is not None:
                kept += min(worth, _MOST_SECONDS)
                continue
            for each in (one, other):
                lacks[id(each)] += worth if asks(rule)(each) else 0.0
        for rule, within in self._new:
            worth = rule.worth_seconds or 0.0
            if not self._know_each_other(one, other, within):
                kept += min(worth, _MOST_SECONDS)
            elif self._all_alone:
                for each in (one, other):
                    lacks[id(each)] += worth if asks(rule)(each) else 0.0
        if any(each.waited < lacks[id(each)] for each in (one, other)):
            return None
        return kept

    def _know_each_other(self, one: Entry, other: Entry, within_seconds: float) -> bool:
        for player in one.players:
            met = self._known.get(player.player_id)
            if met is None:
                met = self._known[player.player_id] = self._met(player.player_id)
            for each in other.players if met else ():
                if self._now - met.get(each.player_id, -inf) < within_seconds:
                    return True
        return False
