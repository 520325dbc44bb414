"""The book of the swarm: from what players asked and were told, to their ends. No I/O, no clock.

Moments are seconds since the start of the run. What a player has to do next comes back as wishes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from crowd.behaviours import Behaviour
from crowd.history import Event, What
from crowd.people import Person
from crowd.requests import Names
from matchkeeper.swarm.judge import Judge
from matchkeeper.swarm.left_over import only_left_over
from matchkeeper.swarm.match_book import MatchBook
from matchkeeper.swarm.parties import Parties
from matchkeeper.swarm.past import LEFT, Past
from matchkeeper.swarm.player import Doing, Player, Wish
from matchkeeper.swarm.tally import Invariant, Neutral, Reason, Tally, Whereabouts
from matchkeeper.wire.answers import BattleRequest

_TRIES = 5
_MOST_PLAYERS = 100
"""Of a party: the last one comes whole."""


class Ledger:
    """All players of a run: those who are still about in full, the others as a few bytes."""

    def __init__(
        self,
        *,
        names: Names,
        players: int,
        timeout_seconds: float,
        late_seconds: float,
        sizes: Mapping[str, int],
        teams: Mapping[str, int],
        tally: Tally,
    ) -> None:
        self._names = names
        self._timeout = timeout_seconds
        self._late = late_seconds
        self._deadlines: deque[tuple[float, int]] = deque()
        self._past = Past(players=players + _MOST_PLAYERS)
        self._parties = Parties(names=names, tally=tally)
        self._judge = Judge(names=names, late_seconds=late_seconds, tally=tally)
        self._teams = {mode.lower(): count for mode, count in teams.items()}
        self.tally = tally
        self.matches = MatchBook(names=names, tally=tally)
        self.sizes = {mode.lower(): size for mode, size in sizes.items()}
        """Players of a match, by mode; corrected by what is seen."""
        self.live: dict[int, Player] = {}
        self.waiting = 0
        """Players who were told `EnQueued` and nothing since."""
        self.asked_count = 0

    def asked(self, group: Sequence[Person], at: float, *, requests: int) -> list[Wish]:
        """The first requests of those who come together are sent now."""
        party = self._parties.come(group)
        for person in group:
            self.live[person.number] = Player(
                number=person.number,
                behaviour=person.behaviour,
                mode=person.mode,
                home=person.home,
                patience_seconds=person.patience_seconds,
                asked_at=at,
                enqueues=requests,
                party=party,
            )
            self._deadlines.append((at + self._timeout, person.number))
        self.asked_count += len(group)
        self.tally.asked_by_size[len(group)] += len(group)
        self.tally.timeline.at(at).counts["asked"] += len(group)
        if group[0].behaviour is Behaviour.OVERSIZED:  # nobody can be told that it was dropped
            return [Wish(person.number, Doing.LEAVE, 0.2) for person in group]
        return []

    def not_sent(self, numbers: range, why: str) -> None:
        """A request of these players could not be sent, or perhaps not."""
        for number in numbers:
            if (player := self.live.get(number)) is not None:
                player.unsent = player.unsent or why

    def gap(self) -> None:
        """The connection for answers was lost: all players who are about may have missed one."""
        self.tally.gaps += 1
        self.matches.gap()
        for player in self.live.values():
            player.unsure = True

    def told(self, numbers: range, news: Event) -> list[Wish]:
        """An answer has come: about a player, or about a party as one, and so about each of it."""
        if len(numbers) == 1:
            return self._told(numbers[0], news)
        if not self._parties.knows(numbers):
            return []
        name = self._names.player
        each = [
            self._told(number, replace(news, player=name(number), who="")) for number in numbers
        ]
        return [wish for wishes in each for wish in wishes]

    def _told(self, number: int, news: Event) -> list[Wish]:
        if news.word == "MatchFound":
            self.matches.see(news)
            self._parties.seated(news)
            if len(news.players) > 1:
                self.sizes[news.mode] = len(news.players)
        player = self.live.get(number)
        if player is None:
            if news.word == "MatchFound" and (past := self._past.recall(number, news.match)):
                self._judge.in_match(number, past, news.match)
            return []
        if news.who:
            self._judge.on_the_own_pod(player, news)
        waited = player.must_wait
        wishes = self._judge.heard(player, news)
        self._parties.heard(player, news)
        self.waiting += player.must_wait - waited
        if player.judged and player.is_settled:
            self._retire(player)
        elif player.judged and not player.closing:
            return [*wishes, *self._close(player)]
        return wishes

    def offered(self, at: float, request: BattleRequest) -> None:
        """A match is offered: a party is in it as a whole."""
        seats = tuple(
            (player.player_id, player.party_id, number)
            for number, team in enumerate(request.sides)
            for player in team
            if player.party_id is not None
        )
        players = tuple((player.player_id, player.score) for player in request.players)
        match = request.match_id
        self._parties.seated(
            Event(at=at, what=What.OFFERED, match=match, players=players, seats=seats)
        )

    def due(self, at: float) -> list[Wish]:
        """Players whose patience is over by now give up."""
        slot = self.tally.timeline.at(at)
        slot.waiting = max(slot.waiting, self.waiting)
        self.matches.sweep(at)
        wishes: list[Wish] = []
        while self._deadlines and self._deadlines[0][0] <= at:
            player = self.live.get(self._deadlines.popleft()[1])
            if player is not None and not player.closing:
                self._judge.wrong(player, _why_late(player), at)
                wishes += self._close(player)
        return wishes

    def only_left_over(self) -> bool:
        """Whether nobody is about but players who wait, and who make no match."""
        return only_left_over(self.live.values(), self.sizes, self._teams)

    def is_closing(self) -> bool:
        """Whether nobody is about who may still be matched as wished."""
        return all(player.closing for player in self.live.values())

    def close(self, why: Neutral) -> list[Wish]:
        """Everybody who is still about leaves."""
        wishes: list[Wish] = []
        for player in list(self.live.values()):
            if not player.judged:
                player.judged = True
                self.tally.ends[player.behaviour].neutral[why] += 1
            if not player.closing:
                wishes += self._close(player)
        return wishes

    def leaves(self, number: int) -> tuple[Player, Wish | None] | None:
        """A dequeue is to be sent now, and again later where no answer comes; None: no longer."""
        player = self.live.get(number)
        if player is None or (player.closing and not player.may_wait):
            return None
        if player.behaviour is Behaviour.QUITS and not player.may_wait:
            return None
        for each in self._who_leaves(player):
            each.leaving = True
        player.leave_tries += 1
        if not player.closing:
            return player, None
        if player.leave_tries > _TRIES:
            self._remains(player)
            return None
        return player, Wish(number, Doing.LEAVE, self._late / _TRIES)

    def _who_leaves(self, player: Player) -> list[Player]:
        """Of a party one, or all as one; the others hear of it either way."""
        party = player.party
        if party is None:
            return [player]
        if not player.leaves_as_one:
            party.leaving.add(self._names.player(player.number))
            return [player]
        party.leaving |= party.players
        return [self.live[number] for number in party.numbers if number in self.live]

    def looks(self, number: int, at: float) -> None:
        """A player was told `not_in_queue` a while ago, and is lost if told nothing else since."""
        player = self.live.get(number)
        if player is None or not player.absent:
            return
        if player.must_wait and not player.unsure:
            text = f"{self._names.player(number)}: EnQueued, then not_in_queue, and nothing else"
            self.tally.violated(Invariant.NOBODY_LOST, text)
            self._judge.wrong(player, Reason.LOST, at)
            self.waiting -= 1
            player.gone = Whereabouts.LOST
        elif not player.judged:
            self._judge.wrong(player, Reason.NO_ANSWER, at)
        self._retire(player)

    def finish(self) -> int:
        """The end: what is not known by now stays so. Returns how many may still be in Redis."""
        if self.live:
            self.matches.gap()  # more could have been told
        for player in list(self.live.values()):
            self._remains(player)
        self.matches.finish()
        return self.tally.accounts[Whereabouts.REMAINS]

    def _close(self, player: Player) -> list[Wish]:
        """Lets a player wait only for the end, and asks to leave where that is needed."""
        player.closing = True
        if not player.may_wait:
            self._retire(player)
            return []
        player.leave_turn += 1
        player.leave_tries = 0
        return [Wish(player.number, Doing.LEAVE)]

    def _remains(self, player: Player) -> None:
        if not player.judged:
            player.judged = True
            self.tally.ends[player.behaviour].neutral[Neutral.STOPPED] += 1
        if player.may_wait:
            self.waiting -= player.must_wait
            player.gone = Whereabouts.REMAINS
        self._retire(player)

    def _retire(self, player: Player) -> None:
        if self.live.pop(player.number, None) is None:
            return
        self.waiting -= player.must_wait
        where = player.gone
        if player.matches and where is not Whereabouts.REMAINS:
            where = Whereabouts.MATCHED
        elif where is None and player.queued:
            where = Whereabouts.UNKNOWN
        if where is not None:
            self.tally.accounts[where] += 1
        checked = self.tally.checked
        checked[Invariant.NOBODY_LOST] += player.queued > 0
        checked[Invariant.NOT_AFTER_LEAVING] += player.gone in LEFT
        checked[Invariant.NOT_REFUSED_AND_MATCHED] += player.refused >= player.enqueues
        asked_late = player.behaviour is Behaviour.LEAVES_LATE and bool(player.matches)
        checked[Invariant.NOT_IN_TWO_PLACES] += asked_late
        self._past.take(player)
        self._parties.gone(player)


def _why_late(player: Player) -> str:
    if player.unsent:
        return f"{Reason.NOT_SENT}: {player.unsent}"
    answered = player.queued + player.refused >= player.enqueues
    if answered and not player.leaving and not player.matches:
        return Reason.NOT_MATCHED
    return Reason.NO_ANSWER
