"""What news means to a player: the right end, a wrong one, and what the player does next."""

from __future__ import annotations

from crowd.behaviours import Behaviour
from crowd.history import Event
from crowd.judge import Fault, Told
from crowd.requests import Names
from matchkeeper.swarm.player import HERE_ALREADY, UNCERTAIN, Doing, Player, Wish
from matchkeeper.swarm.tally import Invariant, Reason, Tally, Whereabouts
from matchkeeper.wire.codes import ErrorCode

_BROKEN = {
    Fault.DOUBLED: Invariant.ONE_MATCH,
    Fault.LEFT_BUT_MATCHED: Invariant.NOT_AFTER_LEAVING,
    Fault.REFUSED_BUT_MATCHED: Invariant.NOT_REFUSED_AND_MATCHED,
}


class Judge:
    """Judges players by their behaviour, news by news."""

    def __init__(self, *, names: Names, late_seconds: float, tally: Tally) -> None:
        self._names = names
        self._late = late_seconds
        self._tally = tally

    def heard(self, player: Player, news: Event) -> list[Wish]:
        """A player hears this; what the player does next."""
        if news.word == "EnQueued":
            return self._queued(player, news.at)
        if news.word == "MatchFound":
            self._matched(player, news.match, news.at)
        elif news.word == "DeQueued":
            self._dequeued(player, news.at)
        elif news.word == "Expired":
            player.gone = Whereabouts.EXPIRED
            self.wrong(player, Reason.EXPIRED, news.at)
        elif news.word == "Error":
            return self._error(player, news.code, news.at)
        if player.behaviour is Behaviour.LEAVES_LATE and player.matches and not player.judged:
            return [] if player.leaving else [Wish(player.number, Doing.LEAVE, 0.1)]
        return []

    def in_match(self, number: int, told: Told, match_id: str) -> None:
        """A player is in a match, in full or as what is remembered of one whose end is known."""
        if finding := told.matched(self._names.player(number), match_id):
            self._tally.violated(_BROKEN[finding.fault], finding.text)

    def on_the_own_pod(self, player: Player, news: Event) -> None:
        """Judges where a player was told something."""
        self._tally.checked[Invariant.OWN_POD] += 1
        if news.who != self._names.pod(player.home):
            text = f"{news.player}, who comes through {self._names.pod(player.home)}: {news.word}"
            self._tally.violated(Invariant.OWN_POD, f"{text} was told to {news.who}")

    def right(self, player: Player) -> None:
        """The end is the right one, unless it is judged already."""
        if not player.judged:
            player.judged = True
            self._tally.ends[player.behaviour].right += 1

    def wrong(self, player: Player, reason: str, at: float) -> None:
        """It is not, for this reason."""
        if not player.judged:
            player.judged = True
            self._tally.ends[player.behaviour].wrong[reason] += 1
            self._tally.errors[reason] += 1
            self._tally.timeline.at(at).counts["wrong"] += 1

    def _queued(self, player: Player, at: float) -> list[Wish]:
        player.queued += 1
        player.absent = False
        player.fresh_stay = player.queued > 1 and bool(player.matches)
        if player.queued == 1:
            self._answered(player, at)
            self._tally.timeline.at(at).counts["queued"] += 1
        if player.behaviour.refusal is not None:
            self.wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is Behaviour.QUITS and player.queued == 1 and player.speaks:
            return [Wish(player.number, Doing.LEAVE, player.patience_seconds)]
        elif player.behaviour is Behaviour.TWICE:
            self._settle_twice(player, at)
        return []

    def _matched(self, player: Player, match_id: str, at: float) -> None:
        if match_id in player.matches:
            return  # told again
        self._tally.checked[Invariant.ONE_MATCH] += 1
        self.in_match(player.number, player, match_id)
        if len(player.matches) == 1:
            self._tally.waits.add(at - player.asked_at)
            self._tally.waits_by_size[player.size].add(at - player.asked_at)
            slot = self._tally.timeline.at(at)
            slot.counts["matched"] += 1
            slot.waits.add(at - player.asked_at)
        if player.behaviour is Behaviour.TWICE:
            self._settle_twice(player, at)
        elif player.behaviour.refusal is not None:
            self.wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is not Behaviour.LEAVES_LATE:
            self.right(player)

    def _dequeued(self, player: Player, at: float) -> None:
        asked = player.asked_to_leave
        player.leaving = False
        if player.matches and not player.fresh_stay and player.behaviour is not Behaviour.TWICE:
            name = self._names.player(player.number)
            text = f"{name}: DeQueued although matched in {player.matches[-1]}"
            self._tally.violated(Invariant.NOT_IN_TWO_PLACES, text)
            self.wrong(player, Reason.QUEUED_THOUGH_MATCHED, at)
        waited = player.closing and player.behaviour is not Behaviour.QUITS
        player.gone = Whereabouts.WAITING if waited else Whereabouts.DEQUEUED
        if player.behaviour is Behaviour.QUITS and asked:
            self.right(player)
        elif player.behaviour is Behaviour.OVERSIZED:
            self.wrong(player, Reason.ACCEPTED, at)
        elif player.behaviour is Behaviour.TWICE and player.fresh_stay:
            self.right(player)
        else:
            self.wrong(player, Reason.TAKEN_OUT, at)

    def _error(self, player: Player, code: str, at: float) -> list[Wish]:
        if player.leaving and code in (ErrorCode.NOT_IN_QUEUE, ErrorCode.MATCH_PENDING):
            return self._could_not_leave(player, code, at)
        if code not in UNCERTAIN:
            player.refused += 1
        self._answered(player, at)
        if _is_wanted(code, player):
            self._expected(code)
            self.right(player)
        elif player.behaviour is Behaviour.TWICE and code in HERE_ALREADY:
            self._expected(code)
            self._settle_twice(player, at)
        else:
            if player.must_wait and player.refused >= player.enqueues:
                player.gone = Whereabouts.SET_ASIDE  # a ticket that could not be read
            self.wrong(player, f"error {code}", at)
        return []

    def _could_not_leave(self, player: Player, code: str, at: float) -> list[Wish]:
        player.leaving = False
        self._expected(code)
        if code == ErrorCode.MATCH_PENDING:
            # The match starts, or falls through and DeQueued is told. Later it is a new wish.
            player.leave_turn += 1
            player.leave_tries = 0
            if player.behaviour is Behaviour.LEAVES_LATE and player.matches:
                self.wrong(player, Reason.QUEUED_THOUGH_MATCHED, at)
            return []
        oversized = player.behaviour is Behaviour.OVERSIZED and not player.queued
        if oversized or (player.behaviour is Behaviour.LEAVES_LATE and player.matches):
            self.right(player)
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
                self.wrong(player, Reason.NOT_REFUSED, at)
            return
        if player.queued + player.refused < player.enqueues:
            return
        if player.refused or player.fresh_stay:
            self.right(player)
        else:
            self.wrong(player, Reason.NOT_REFUSED, at)

    def _answered(self, player: Player, at: float) -> None:
        if player.queued + player.refused <= 1:
            self._tally.answers.add(at - player.asked_at)

    def _expected(self, code: str) -> None:
        self._tally.expected_errors[code] += 1


def _is_wanted(code: str, player: Player) -> bool:
    """Whether the behaviour asks for this refusal. Of a party one player may be the reason, and the
    others are told that they are not queued because of that one.
    """
    refusal = player.behaviour.refusal
    friend = refusal is not None and player.party is not None and code == ErrorCode.PARTY_REFUSED
    return code == refusal or friend
