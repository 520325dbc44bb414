"""The judge of the swarm: from what players asked and were told, to their ends. No I/O, no clock.

Moments are seconds since the start of the run. What a player has to do next comes back as wishes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from crowd.behaviours import Behaviour
from crowd.history import Event
from crowd.judge import Fault, Told
from crowd.people import Person
from crowd.requests import Names
from matchkeeper.swarm.match_book import MatchBook
from matchkeeper.swarm.past import LEFT, Past
from matchkeeper.swarm.player import HERE_ALREADY, UNCERTAIN, Player
from matchkeeper.swarm.tally import Invariant, Neutral, Reason, Tally, Whereabouts
from matchkeeper.wire.codes import ErrorCode

_TRIES = 5
_BROKEN = {
    Fault.DOUBLED: Invariant.ONE_MATCH,
    Fault.LEFT_BUT_MATCHED: Invariant.NOT_AFTER_LEAVING,
    Fault.REFUSED_BUT_MATCHED: Invariant.NOT_REFUSED_AND_MATCHED,
}


class Doing(StrEnum):
    """What a player does next."""

    LEAVE = "leave"
    """Sends a dequeue."""
    LOOK = "look"
    """The player was told `not_in_queue`: by now, the reason must have been told as well."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A player does something, `after` seconds."""

    number: int
    doing: Doing
    after: float = 0.0


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
        tally: Tally,
    ) -> None:
        self._names = names
        self._timeout = timeout_seconds
        self._late = late_seconds
        self._deadlines: deque[tuple[float, int]] = deque()
        self._past = Past(players=players)
        self.tally = tally
        self.matches = MatchBook(names=names, tally=tally)
        self.sizes = {mode.lower(): size for mode, size in sizes.items()}
        """Players of a match, by mode; corrected by what is seen."""
        self.live: dict[int, Player] = {}
        self.waiting = 0
        """Players who were told `EnQueued` and nothing since."""
        self.asked_count = 0

    def asked(self, person: Person, at: float, *, requests: int) -> list[Wish]:
        """The first requests of a player are sent now."""
        self.live[person.number] = Player(
            number=person.number,
            behaviour=person.behaviour,
            mode=person.mode,
            home=person.home,
            patience_seconds=person.patience_seconds,
            asked_at=at,
            enqueues=requests,
        )
        self._deadlines.append((at + self._timeout, person.number))
        self.asked_count += 1
        self.tally.timeline.at(at).counts["asked"] += 1
        if person.behaviour is Behaviour.OVERSIZED:  # nobody can be told that it was dropped
            return [Wish(person.number, Doing.LEAVE, 0.2)]
        return []

    def not_sent(self, number: int, why: str) -> None:
        """A request of this player could not be sent, or perhaps not."""
        if (player := self.live.get(number)) is not None:
            player.unsent = player.unsent or why

    def gap(self) -> None:
        """The connection for answers was lost: all players who are about may have missed one."""
        self.tally.gaps += 1
        self.matches.gap()
        for player in self.live.values():
            player.unsure = True

    def told(self, number: int, news: Event) -> list[Wish]:
        """An answer has come."""
        if news.word == "MatchFound":
            self.matches.see(news)
            if len(news.players) > 1:
                self.sizes[news.mode] = len(news.players)
        player = self.live.get(number)
        if player is None:
            if news.word == "MatchFound" and (past := self._past.recall(number, news.match)):
                self._in_match(number, past, news.match)
            return []
        waited = player.must_wait
        wishes = self._heard(player, news)
        self.waiting += player.must_wait - waited
        if player.judged and player.is_settled:
            self._retire(player)
        elif player.judged and not player.closing:
            return [*wishes, *self._close(player)]
        return wishes

    def due(self, at: float) -> list[Wish]:
        """Players whose patience is over by now give up."""
        slot = self.tally.timeline.at(at)
        slot.waiting = max(slot.waiting, self.waiting)
        self.matches.sweep(at)
        wishes: list[Wish] = []
        while self._deadlines and self._deadlines[0][0] <= at:
            player = self.live.get(self._deadlines.popleft()[1])
            if player is not None and not player.closing:
                self._wrong(player, _why_late(player), at)
                wishes += self._close(player)
        return wishes

    def only_left_over(self) -> bool:
        """Whether nobody is about but players who wait, too few in each mode for a match."""
        by_mode: dict[str, int] = {}
        for player in self.live.values():
            if player.judged or player.leaving or not player.must_wait:
                return False
            by_mode[player.mode.lower()] = by_mode.get(player.mode.lower(), 0) + 1
        return all(count < self.sizes.get(mode, 0) for mode, count in by_mode.items())

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
        player.leaving = True
        player.leave_tries += 1
        if not player.closing:
            return player, None
        if player.leave_tries > _TRIES:
            self._remains(player)
            return None
        return player, Wish(number, Doing.LEAVE, self._late / _TRIES)

    def looks(self, number: int, at: float) -> None:
        """A player was told `not_in_queue` a while ago, and is lost if told nothing else since."""
        player = self.live.get(number)
        if player is None or not player.absent:
            return
        if player.must_wait and not player.unsure:
            text = f"{self._names.player(number)}: EnQueued, then not_in_queue, and nothing else"
            self.tally.violated(Invariant.NOBODY_LOST, text)
            self._wrong(player, Reason.LOST, at)
            self.waiting -= 1
            player.gone = Whereabouts.LOST
        elif not player.judged:
            self._wrong(player, Reason.NO_ANSWER, at)
        self._retire(player)

    def finish(self) -> int:
        """The end: what is not known by now stays so. Returns how many may still be in Redis."""
        if self.live:
            self.matches.gap()  # more could have been told
        for player in list(self.live.values()):
            self._remains(player)
        self.matches.finish()
        return self.tally.accounts[Whereabouts.REMAINS]

    def _heard(self, player: Player, news: Event) -> list[Wish]:
        if news.word == "EnQueued":
            return self._queued(player, news.at)
        if news.word == "MatchFound":
            self._matched(player, news.match, news.at)
        elif news.word == "DeQueued":
            self._dequeued(player, news.at)
        elif news.word == "Expired":
            player.gone = Whereabouts.EXPIRED
            self._wrong(player, Reason.EXPIRED, news.at)
        elif news.word == "Error":
            return self._error(player, news.code, news.at)
        if player.behaviour is Behaviour.LEAVES_LATE and player.matches and not player.judged:
            return [] if player.leaving else [Wish(player.number, Doing.LEAVE, 0.1)]
        return []

    def _queued(self, player: Player, at: float) -> list[Wish]:
        player.queued += 1
        player.absent = False
        player.fresh_stay = player.queued > 1 and bool(player.matches)
        if player.queued == 1:
            self._answered(player, at)
            self.tally.timeline.at(at).counts["queued"] += 1
        if player.behaviour.refusal is not None:
            self._wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is Behaviour.QUITS and player.queued == 1:
            return [Wish(player.number, Doing.LEAVE, player.patience_seconds)]
        elif player.behaviour is Behaviour.TWICE:
            self._settle_twice(player, at)
        return []

    def _matched(self, player: Player, match_id: str, at: float) -> None:
        if match_id in player.matches:
            return  # told again
        self.tally.checked[Invariant.ONE_MATCH] += 1
        self._in_match(player.number, player, match_id)
        if len(player.matches) == 1:
            self.tally.waits.add(at - player.asked_at)
            slot = self.tally.timeline.at(at)
            slot.counts["matched"] += 1
            slot.waits.add(at - player.asked_at)
        if player.behaviour is Behaviour.TWICE:
            self._settle_twice(player, at)
        elif player.behaviour.refusal is not None:
            self._wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is not Behaviour.LEAVES_LATE:
            self._right(player)

    def _in_match(self, number: int, told: Told, match_id: str) -> None:
        if finding := told.matched(self._names.player(number), match_id):
            self.tally.violated(_BROKEN[finding.fault], finding.text)

    def _dequeued(self, player: Player, at: float) -> None:
        asked = player.leaving or player.leave_turn > 0  # or before, while a match was pending
        player.leaving = False
        if player.matches and not player.fresh_stay and player.behaviour is not Behaviour.TWICE:
            name = self._names.player(player.number)
            text = f"{name}: DeQueued although matched in {player.matches[-1]}"
            self.tally.violated(Invariant.NOT_IN_TWO_PLACES, text)
            self._wrong(player, Reason.QUEUED_THOUGH_MATCHED, at)
        waited = player.closing and player.behaviour is not Behaviour.QUITS
        player.gone = Whereabouts.WAITING if waited else Whereabouts.DEQUEUED
        if player.behaviour is Behaviour.QUITS and asked:
            self._right(player)
        elif player.behaviour is Behaviour.OVERSIZED:
            self._wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is Behaviour.TWICE and player.fresh_stay:
            self._right(player)
        else:
            self._wrong(player, Reason.TAKEN_OUT, at)

    def _error(self, player: Player, code: str, at: float) -> list[Wish]:
        if player.leaving and code in (ErrorCode.NOT_IN_QUEUE, ErrorCode.MATCH_PENDING):
            return self._could_not_leave(player, code, at)
        if code not in UNCERTAIN:
            player.refused += 1
        self._answered(player, at)
        if code == player.behaviour.refusal:
            self._expected(code)
            self._right(player)
        elif player.behaviour is Behaviour.TWICE and code in HERE_ALREADY:
            self._expected(code)
            self._settle_twice(player, at)
        else:
            if player.must_wait and player.refused >= player.enqueues:
                player.gone = Whereabouts.SET_ASIDE  # a ticket that could not be read
            self._wrong(player, f"error {code}", at)
        return []

    def _could_not_leave(self, player: Player, code: str, at: float) -> list[Wish]:
        player.leaving = False
        self._expected(code)
        if code == ErrorCode.MATCH_PENDING:
            # The match starts, or falls through and DeQueued is told. Later it is a new wish.
            player.leave_turn += 1
            player.leave_tries = 0
            if player.behaviour is Behaviour.LEAVES_LATE and player.matches:
                self._wrong(player, Reason.QUEUED_THOUGH_MATCHED, at)
            return []
        oversized = player.behaviour is Behaviour.OVERSIZED and not player.queued
        if oversized or (player.behaviour is Behaviour.LEAVES_LATE and player.matches):
            self._right(player)
        elif player.must_wait:
            player.absent = True
            player.closing = True
            return [Wish(player.number, Doing.LOOK, self._late)]
        player.absent = True
        return []

    def _settle_twice(self, player: Player, at: float) -> None:
        """One match, and both requests answered: the second refused, or a stay after the match."""
        if not player.matches:
            if player.queued > 1:
                self._wrong(player, Reason.NOT_REFUSED, at)
            return
        if player.queued + player.refused < player.enqueues:
            return
        if player.refused or player.fresh_stay:
            self._right(player)
        else:
            self._wrong(player, Reason.NOT_REFUSED, at)

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

    def _answered(self, player: Player, at: float) -> None:
        if player.queued + player.refused <= 1:
            self.tally.answers.add(at - player.asked_at)

    def _expected(self, code: str) -> None:
        self.tally.expected_errors[code] += 1

    def _right(self, player: Player) -> None:
        if not player.judged:
            player.judged = True
            self.tally.ends[player.behaviour].right += 1

    def _wrong(self, player: Player, reason: str, at: float) -> None:
        if not player.judged:
            player.judged = True
            self.tally.ends[player.behaviour].wrong[reason] += 1
            self.tally.errors[reason] += 1
            self.tally.timeline.at(at).counts["wrong"] += 1


def _why_late(player: Player) -> str:
    if player.unsent:
        return f"{Reason.NOT_SENT}: {player.unsent}"
    answered = player.queued + player.refused >= player.enqueues
    if answered and not player.leaving and not player.matches:
        return Reason.NOT_MATCHED
    return Reason.NO_ANSWER
