"""A player's stays: from a request to be queued to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from crowd.history import Event, State, What
from crowd.judge.matches import Matches

_ENDS = ("DeQueued", "Expired")
_NOT_LEFT = ("not_in_queue", "match_pending")
_REFUSALS = ("already_in_queue", "in_other_queue", "match_pending")
TIMES_SENT = 4
"""How often a client sends a request that nobody answers; each of them may be answered."""


@dataclass(slots=True, kw_only=True)
class Stay:
    """One player from one request to the next after its end."""

    player: str
    mode: str
    asked_at: float
    modes: set[str] = field(default_factory=set)
    """The queues that were asked for: one, or several where that is allowed."""
    open: set[str] = field(default_factory=set)
    """Of these, those where the player was not seen yet: the request may not have been done."""
    acknowledged_at: float = inf
    told_found: bool = False
    ended: set[str] = field(default_factory=set)
    matches: set[str] = field(default_factory=set)
    """Live ones."""
    scores: set[float] = field(default_factory=set)
    """Places seen in the queue, exactly."""
    seconds: set[int] = field(default_factory=set)
    """Places seen in offers and in the queue, in whole seconds."""
    last: bool = False
    may_be_over: bool = False
    """The player asked to leave or may have expired: the answer may have reached nobody."""
    renewals: int = 0
    """How many requests to be queued again may have been done when that was so."""
    leaves_at: float = inf
    """When the player asked to leave its match and was told that no queue takes it back."""
    put_back: bool = False
    """The player was in the queue later than that."""
    spare: int = 0
    """Further requests to be queued that were not answered: each may take effect at any time."""
    late: set[str] = field(default_factory=set)
    """The queues that such requests of the stay before may have asked for."""
    refusals: int = 0
    """Answers that the player is in a queue already; they do not say which request they answer."""

    def refused(self) -> None:
        """The player was told to be in a queue already. One request is certainly answered when it
        cannot have been sent more often.
        """
        self.refusals += 1
        if self.refusals % TIMES_SENT == 0:
            self.spare = max(0, self.spare - 1)

    @property
    def asked_only_to_leave(self) -> bool:
        """Whether `match_pending` answers a dequeue: no enqueue is open that it could answer."""
        return self.acknowledged and self.may_be_over and not self.spare

    @property
    def acknowledged(self) -> bool:
        """Whether the player was told EnQueued."""
        return self.acknowledged_at < inf

    @property
    def over(self) -> bool:
        """Whether it has an end that somebody was told."""
        return bool(self.ended or self.matches)

    @property
    def place(self) -> float | None:
        """The exact place, where it was seen and there can be but one."""
        return None if self.renewals or len(self.modes) > 1 else min(self.scores, default=None)


class Stays:
    """Reads stays out of a history, in order.

    `matches`: as they are in the end. `lifetimes`: mode -> seconds after which a waiting player may
    be taken out. `several`: players may wait in several queues.
    """

    def __init__(
        self, matches: Matches, lifetimes: Mapping[str, float], *, several: bool = False
    ) -> None:
        self._stays: dict[str, list[Stay]] = {}
        self._matches = matches
        self._lifetimes = lifetimes
        self._several = several
        self._leaving: Counter[str] = Counter()
        """How many dequeues of a player are not answered; each may take effect later."""
        self._together: dict[str, set[str]] = {}
        """Player -> those with whom the player was asked for: who leaves takes the others out."""
        self._delivered: set[str] = set()
        self._heard_at: dict[str, float] = {}
        """Match -> when somebody first heard of it."""

    def read(self, events: Sequence[Event]) -> dict[str, list[Stay]]:
        """The stays of a whole history, by player."""
        for event in events:
            self._see(event)
        for *_, last in self._stays.values():
            last.last = True
            last.may_be_over |= self._is_old(last, events[-1].at)
        return self._stays

    def _see(self, event: Event) -> None:
        if event.what is What.ASKED:
            if not (self._several and self._in_one_more_queue(event)):
                self._asked(event)
        elif event.what is What.TOLD:
            self._told(event)
        elif event.what in (What.OFFERED, What.STARTED):
            self._in_match(event)
        elif event.state is not None:
            self._seen(event, event.state)

    def _latest(self, player: str) -> Stay | None:
        mine = self._stays.get(player)
        return mine[-1] if mine else None

    def _is_old(self, stay: Stay, at: float) -> bool:
        return at - stay.asked_at >= self._lifetimes.get(stay.mode, inf)

    def _age(self, stay: Stay, at: float) -> None:
        """A player who is old enough may have been taken out. A request that was sent before that
        and not answered may be done after it.
        """
        if self._is_old(stay, at):
            stay.may_be_over = True
            stay.renewals = max(stay.renewals, stay.spare)

    def _asked(self, event: Event) -> None:
        last = self._latest(event.player)
        if last is not None:
            self._age(last, event.at)
        if event.together:
            self._together.setdefault(event.player, set()).update(event.together)
        if event.word != "enqueue":
            self._leaving[event.player] += 1
            for player in self._together.get(event.player, {event.player}):
                if (stay := self._latest(player)) is not None:
                    stay.may_be_over = True
        elif last is None or last.over:
            stay = Stay(
                player=event.player,
                mode=event.mode,
                modes={event.mode},
                open={event.mode},
                asked_at=event.at,
                may_be_over=any(
                    self._leaving[player] > 0
                    for player in self._together.get(event.player, {event.player})
                ),
            )
            if last is not None:
                stay.late, stay.spare = last.modes | last.late, last.spare
            self._stays.setdefault(event.player, []).append(stay)
        else:
            last.leaves_at = inf
            last.spare += 1
            last.renewals += last.may_be_over

    def _in_one_more_queue(self, event: Event) -> bool:
        """Whether a request is for a further queue of the same stay."""
        last = self._latest(event.player)
        if last is None or last.over or event.word != "enqueue" or event.mode in last.modes:
            return False
        last.modes.add(event.mode)
        last.open.add(event.mode)
        return True

    def _told(self, event: Event) -> None:
        if event.word == "DeQueued" or event.code in _NOT_LEFT:
            self._leaving[event.player] = max(0, self._leaving[event.player] - 1)
        stay = self._latest(event.player)
        if stay is None:
            return
        if event.code in _REFUSALS and len(stay.open) == 1:
            stay.open.clear()
        if event.word == "Error" and event.code in ("already_in_queue", "in_other_queue"):
            stay.refused()
        elif event.code == "match_pending" and stay.asked_only_to_leave:
            stay.leaves_at = min(stay.leaves_at, event.at)
        elif event.word == "EnQueued" and not stay.over:
            if not stay.acknowledged:
                # A place that was seen before, and lost with a primary, was promised to nobody.
                stay.scores.clear()
                stay.seconds.clear()
            stay.acknowledged_at = min(stay.acknowledged_at, event.at)
        elif event.word == "MatchFound" and not self._is_of_before(event):
            stay.told_found = True
            self._deliver(event.match)
        elif event.word in _ENDS and not self._said_again(event):
            # After a match it is the end of what was asked for beside it.
            (self._open_spare(event.player) or stay).ended.add(event.word)

    def _is_of_before(self, event: Event) -> bool:
        """Whether an earlier request was asked for again, and so its match is told once more."""
        return any(event.match in stay.matches for stay in self._stays[event.player][:-1])

    def _said_again(self, event: Event) -> bool:
        """Whether this may tell an end once more: its request was sent several times, and nobody
        has seen since then that another stay began.
        """
        *_, before, last = (None, *self._stays[event.player])
        if last is not None and (last.acknowledged or last.over):
            return event.word in last.ended
        return before is not None and event.word in before.ended

    def _open_spare(self, player: str) -> Stay | None:
        """The latest stay; a new one where that is over and a request that was sent before its end
        had an effect.
        """
        last = self._latest(player)
        if last is None or not (last.over and last.spare):
            return last
        stay = Stay(
            player=player,
            mode=last.mode,
            modes=set(last.modes),
            asked_at=last.asked_at,
            spare=last.spare - 1,
            # As often as it asked to leave and to come, and nobody heard of either.
            renewals=(last.spare - 1) * last.may_be_over,
        )
        self._stays[player].append(stay)
        return stay

    def _in_match(self, event: Event) -> None:
        is_news = not (event.match in self._heard_at or event.match in self._delivered)
        first = self._heard_at.setdefault(event.match, event.at)
        for player, seconds in event.players:
            stay = self._open_spare(player) if is_news else self._latest(player)
            # Who stood still hears late of a match of the stay before.
            if stay is not None and first >= stay.asked_at:
                self._age(stay, event.at)
                stay.seconds.add(seconds)
        if event.what is What.STARTED or event.word == "publish":
            self._deliver(event.match)

    def _deliver(self, match_id: str) -> None:
        """Ends the stays of its players, once: the same match is seen in several ways.

        A request for another queue that was not done yet may be done afterwards: nobody knows when
        it was sent, and the player is told of the match and of the queue in this order.
        """
        if match_id in self._delivered:
            return
        self._delivered.add(match_id)
        match = self._matches.by_id[match_id]
        for player in match.players:
            if (stay := self._open_spare(player)) is not None:
                stay.matches.add(match_id)
                if len(stay.modes) > 1:
                    stay.spare += len(stay.open - {match.mode})

    def _seen(self, event: Event, state: State) -> None:
        for match_id in state.started:
            self._deliver(match_id)
        for tag, queue in state.queues.items():
            for player, score in queue.items():
                if (stay := self._open_spare(player)) is not None:
                    self._age(stay, event.at)
                    _done_late(stay, tag)
                    put_back = (event.since or event.at) > stay.leaves_at
                    stay.put_back |= tag == stay.mode and put_back
                    stay.open.discard(tag)
                    stay.scores.add(score)
                    stay.seconds.add(int(score))


def _done_late(stay: Stay, tag: str) -> None:
    """The player is in a queue that was asked for before this stay, not in it."""
    if stay.spare and tag in stay.late - stay.modes:
        stay.spare -= 1
        stay.modes.add(tag)
