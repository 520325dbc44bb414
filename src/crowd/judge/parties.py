"""What must hold of players who came together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set

from crowd.history import Event, State, What
from crowd.judge.verdict import Fault, Finding


def check_parties(events: Sequence[Event], teams: Mapping[str, int]) -> Iterator[Finding]:
    """Findings about parties in offers, and about what their players were told. `teams`: mode ->
    players of a team.
    """
    asked: dict[str, set[frozenset[str]]] = defaultdict(set)
    leaving: set[str] = set()
    friends: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.what is What.ASKED:
            if event.together:
                asked[event.party].add(frozenset(event.together))
                friends[event.player].update(event.together)
            if event.word == "dequeue":
                leaving.add(event.player)
        elif event.what is What.OFFERED or event.word == "MatchFound":
            yield from check_seats(event, asked, teams.get(event.mode, 0))
        elif event.what is What.TOLD and event.word == "DeQueued":
            yield from check_left(event, friends.get(event.player, set()), leaving)


def check_seats(
    event: Event, asked: Mapping[str, Container[frozenset[str]]], team_size: int = 0
) -> Iterator[Finding]:
    """A party is in a match with all its players, on one team unless it fills the match, as an
    offer says, or what a player was told. `asked`: party -> the players for whom it asked.
    """
    seats: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for player, party, team in event.seats:
        seats[party].append((player, team))
    for party, its in seats.items():
        players, on = {player for player, _ in its}, {team for _, team in its}
        if frozenset(players) not in asked.get(party, ()):
            text = f"match {event.match} has {', '.join(sorted(players))} of party {party}"
            yield Finding(fault=Fault.SPLIT, about=party, text=f"{text}: not as it was asked for")
        if len(on) > 1 and len(its) != len(event.players):
            text = f"party {party} is on {len(on)} teams of match {event.match}"
            yield Finding(fault=Fault.SPLIT, about=party, text=text)
        if team_size and len(on) == 1 and len(its) > team_size:
            text = f"party {party} has more players in match {event.match} than a team"
            yield Finding(fault=Fault.SPLIT, about=party, text=text)


def check_left(event: Event, friends: Set[str], leaving: Set[str]) -> Iterator[Finding]:
    """`DeQueued` names the player who left, where it was another one of the party."""
    player, by = event.player, event.left_by
    if by and (by not in friends or by not in leaving):
        text = f"{player} was told that {by} left, who was not with {player} or did not ask to"
        yield Finding(fault=Fault.LEFT_BY, about=player, text=text)
    elif not by and player not in leaving and friends & leaving:
        text = f"{player} was told DeQueued, and not who left"
        yield Finding(fault=Fault.LEFT_BY, about=player, text=text)


def check_told_often(events: Iterable[Event], times_sent: int) -> Iterator[Finding]:
    """Who is told of one match again has sent a request again, `times_sent` times at most."""
    told: Counter[tuple[str, str]] = Counter()
    asked: Counter[str] = Counter()
    for event in events:
        if event.what is What.ASKED and event.word == "enqueue":
            asked[event.player] += 1
        elif event.what is What.TOLD and event.word == "MatchFound":
            told[event.match, event.player] += 1
            if told[event.match, event.player] > times_sent * max(asked[event.player], 1):
                text = f"{event.player} was told too often of match {event.match}"
                yield Finding(fault=Fault.TOLD_OTHERWISE, about=event.player, text=text)


def check_index(state: State) -> Iterator[Finding]:
    """The index has the players of all parties that wait or are in a pending match, nobody else."""
    right = {player: place for place, players in state.parties.items() for player in players}
    for player in sorted(set(right) | set(state.index)):
        is_, should = state.index.get(player), right.get(player)
        if is_ != should:
            text = f"{player} is in party {should or 'none'}, and in the index in {is_ or 'none'}"
            yield Finding(fault=Fault.UNEXPECTED, about=player, text=text)
    for place, players in state.parties.items():
        tag, party = place.split(" ", 1)
        there = [player in state.queues.get(tag, {}) for player in players]
        there = [
            waits or any(player in who for _, who in state.matches.values())
            for waits, player in zip(there, players, strict=True)
        ]
        if not all(there) and any(there):
            text = f"of party {party} only a part waits in {tag} or is in a match"
            yield Finding(fault=Fault.SPLIT, about=party, text=text)
