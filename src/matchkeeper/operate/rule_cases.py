"""Cases for the rules of a mode: tickets with their waits, and what must become of them.

A file of cases is TOML. Each `[[cases]]` has a `name`, `metadata` that all players have, `tickets`,
and what is expected. A ticket is `{ id, waited, metadata, count }`, a party `{ id, waited,
players = [{ id, metadata, count }] }`; with `count = 3`, `a` stands for a_1, a_2 and a_3.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import msgspec

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.party import misfit
from matchkeeper.domain.ticket import Member, Ticket, members_of
from matchkeeper.errors import ConfigError
from matchkeeper.matching.rules.checker import refusals
from matchkeeper.matching.rules.hopeless import never_for
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.wire.attributes import values_in
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.metadata_text import BadMetadataError

_NOW = 1_000_000.0

_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=_NOW)]


class Player(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A player of a party."""

    id: str
    metadata: dict[str, Any] = {}
    count: _Count = 1


class TicketOfCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ticket that waits."""

    id: str
    waited: _Seconds = 0.0
    metadata: dict[str, Any] = {}
    count: _Count = 1
    players: tuple[Player, ...] = ()
    """Of a party."""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who waits, and what must become of them."""

    name: str
    tickets: tuple[TicketOfCase, ...]
    metadata: dict[str, Any] = {}
    matched: tuple[str, ...] = ()
    """Players, or `a` for all of a_1, a_2, …, who must be in a match."""
    unmatched: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    """Ticket -> error code."""
    matches: int | None = None
    """How many there must be."""
    region: str | None = None
    """Where every match must be."""
    roles: dict[str, str] = {}
    teams: dict[str, tuple[str, ...]] = {}
    """Team -> players who must be on it."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case."""

    case: Case
    wrong: tuple[str, ...]
    """What is not as it must be, in sentences; empty where all is."""


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a file. Raises ConfigError."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).cases
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:
        known = ", ".join(each.name for each in msgspec.structs.fields(Case))
        hint = f"A case has {known}: docs/rules.md says what they mean."
        raise ConfigError(f"{path} is no file of cases: {error}", hint=hint) from None


def outcome(case: Case, mode: GameMode) -> Outcome:
    """Runs one round over the tickets of a case."""
    tickets, refused = _tickets(case, mode)
    pairing = strategy_for(mode)(tickets, _NOW)
    wrong = [*_names(case), *_refusals(case, refused), *_matches(case, pairing.proposals)]
    if mode.rules is not None:
        wrong += [
            f"a match breaks the rule {each.rule}: {each.why}"
            for proposal in pairing.proposals
            for each in refusals(proposal, mode, _NOW)
        ]
    return Outcome(case=case, wrong=tuple(wrong))


def _tickets(case: Case, mode: GameMode) -> tuple[list[Ticket], dict[str, str]]:
    tickets: list[Ticket] = []
    refused: dict[str, str] = {}
    never = never_for(mode)
    for one in case.tickets:
        for ticket_id in _named(one.id, one.count):
            players = {
                name: {**case.metadata, **one.metadata, **each.metadata}
                for each in one.players
                for name in _named(each.id, each.count)
            } or {ticket_id: {**case.metadata, **one.metadata}}
            made = _ticket(ticket_id, players, one.waited, mode)
            if isinstance(made, str):
                refused[ticket_id] = made
            elif never(made):
                refused[ticket_id] = ErrorCode.NEVER_MATCHED
            else:
                tickets.append(made)
    return tickets, refused


def _ticket(
    ticket_id: str, players: Mapping[str, Mapping[str, Any]], waited: float, mode: GameMode
) -> Ticket | str:
    """The ticket, or the code with which it is refused."""
    if misfit(len(players), mode):
        return ErrorCode.PARTY_DOES_NOT_FIT
    try:
        values = tuple([values_in(msgspec.json.encode(each), mode) for each in players.values()])
    except BadMetadataError as error:
        return error.code
    return Ticket(
        ticket_id=ticket_id,
        members=tuple([Member(each, "pod") for each in players]),
        enqueued_at=_NOW - waited,
        metadata_sum="",
        values=values if mode.attributes else (),
    )


def _named(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{nth + 1}" for nth in range(count)]


def _names(case: Case) -> Iterator[str]:
    """Names that stand for nobody, or for two: what is expected of them would say nothing."""
    everybody = _everybody(case)
    for player, times in Counter(everybody).items():
        if times > 1:
            yield f"{player} is there {times} times"
    for name in (*case.matched, *case.unmatched):
        if not any(_is(each, name) for each in everybody):
            yield f"{name} is no player of the case"


def _refusals(case: Case, refused: Mapping[str, str]) -> Iterator[str]:
    for ticket in sorted({*refused, *case.refused}):
        wanted, found = case.refused.get(ticket), refused.get(ticket)
        if wanted != found:
            is_so = f"is refused: {found}" if found else "is not refused"
            yield f"{ticket} {is_so}" + (f"; expected is {wanted}" if wanted else "")


def _matches(case: Case, proposals: Sequence[Proposal]) -> Iterator[str]:
    matched = {each.player_id for one in proposals for each in members_of(one.tickets)}
    if case.matches is not None and case.matches != len(proposals):
        yield f"{len(proposals)} matches are made, expected are {case.matches}"
    everybody = _everybody(case)
    for name in case.matched:
        if left := [each for each in everybody if _is(each, name) and each not in matched]:
            yield f"{', '.join(left)} waits on, and must be matched"
    for name in case.unmatched:
        if taken := [each for each in everybody if _is(each, name) and each in matched]:
            yield f"{', '.join(taken)} is matched, and must wait"
    yield from _places(case, proposals, matched)


def _places(case: Case, proposals: Sequence[Proposal], matched: set[str]) -> Iterator[str]:
    for name in sorted({*case.roles, *chain.from_iterable(case.teams.values())} - matched):
        yield f"{name} is in no match, and must have a role or a team"
    for proposal in proposals:
        seating = proposal.seating
        if seating is None:
            if case.roles or case.teams or case.region is not None:
                yield "a match of a mode without rules has no roles, named teams or region"
            continue
        if case.region is not None and seating.region != case.region:
            yield f"the region is {seating.region}, expected is {case.region}"
        for team, seats in zip(seating.names, seating.teams, strict=True):
            yield from _seats(case, team, dict(seats))


def _seats(case: Case, team: str, seats: Mapping[str, str | None]) -> Iterator[str]:
    for player, role in seats.items():
        wanted = case.roles.get(player)
        if wanted not in (None, role):
            yield f"{player} plays {role}, expected is {wanted}"
        on = [name for name, players in case.teams.items() if player in players]
        if on and team not in on:
            yield f"{player} is on {team}, expected is {on[0]}"


def _everybody(case: Case) -> list[str]:
    return [
        player
        for one in case.tickets
        for player in (
            [name for each in one.players for name in _named(each.id, each.count)]
            or _named(one.id, one.count)
        )
    ]


def _is(player: str, name: str) -> bool:
    return player == name or player.rpartition("_")[0] == name
