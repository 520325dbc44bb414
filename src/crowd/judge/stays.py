"""A player's stays: from a request to be queued to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from crowd.history import Event, What
from crowd.judge.matches import Match, Matches

_ENDS = ("DeQueued", "Expired")
_NOT_LEFT = ("not_in_queue", "match_pending")
_REFUSALS = ("already_in_queue", "in_other_queue", "match_pending")
_TIMES_SENT = 4
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
    """Of these, where the player was not seen yet: the request may not have been done."""
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
    """Was asked to end, or old enough to be taken out: the answer may have reached nobody."""
    renewals: int = 0
    """How many requests to be queued again may have been done when that was so."""
    leaves_at: float = inf
    """When it was told that it goes into no queue again, since it asked to leave its match."""
    put_back: bool = False
    """Was in the queue later than that."""
    spare: int = 0
    """Further requests to be queued that were not answered: each may take effect at any time."""
    late: set[str] = field(default_factory=set)
    """The queues that such requests of the stay before may have asked for."""
    refusals: int = 0
    """Answers that it is in a queue already; which request one belongs to, it does not say."""

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


def stays_of(
    events: Iterable[Event],
    matches: Matches,
    lifetimes: Mapping[str, float],
    *,
    several: bool = False,
) -> dict[str, list[Stay]]:
    """All stays by player, in order."""
    stays: dict[str, list[Stay]] = {}
    leaving: Counter[str] = Counter()
    live = dict(matches.live)
    at = 0.0
    for event in events:
        at = event.at
        if event.what is What.ASKED:
            if several and _in_one_more_queue(stays, event):
                continue
            _asked(stays, event, lifetimes, leaving)
        elif event.what is What.TOLD:
            _told(stays, event)
            if event.word == "DeQueued" or event.code in _NOT_LEFT:
                leaving[event.player] = max(0, leaving[event.player] - 1)
        elif event.what in (What.OFFERED, What.STARTED):
            _in_match(stays, event, live, lifetimes)
        elif event.state is not None:
            _seen(stays, event, live, lifetimes)
    for each in stays.values():
        each[-1].last = True
        each[-1].may_be_over |= _is_old(each[-1], at, lifetimes)
    return stays


def _is_old(stay: Stay, at: float, lifetimes: Mapping[str, float]) -> bool:
    return at - stay.asked_at >= lifetimes.get(stay.mode, inf)


def _age(stay: Stay, at: float, lifetimes: Mapping[str, float]) -> None:
    """Who is old enough may have been taken out, and what was asked before that and not answered
    be done after it.
    """
    if _is_old(stay, at, lifetimes):
        stay.may_be_over = True
        stay.renewals = max(stay.renewals, stay.spare)


def _asked(
    stays: dict[str, list[Stay]],
    event: Event,
    lifetimes: Mapping[str, float],
    leaving: Counter[str],
) -> None:
    """`leaving`: how many dequeues of a player are not answered; each may take effect later."""
    mine = stays.get(event.player, [])
    if mine:
        _age(mine[-1], event.at, lifetimes)
    if event.word != "enqueue":
        leaving[event.player] += 1
        for stay in mine[-1:]:
            stay.may_be_over = True
    elif not mine or mine[-1].over:
        spare = mine[-1].spare if mine else 0
        stay = Stay(
            late=mine[-1].modes | mine[-1].late if mine else set(),
            player=event.player,
            mode=event.mode,
            modes={event.mode},
            open={event.mode},
            asked_at=event.at,
            spare=spare,
        )
        stay.may_be_over = leaving[event.player] > 0
        stays.setdefault(event.player, []).append(stay)
    else:
        mine[-1].leaves_at = inf
        mine[-1].spare += 1
        mine[-1].renewals += mine[-1].may_be_over


def _in_one_more_queue(stays: dict[str, list[Stay]], event: Event) -> bool:
    """Whether a request is for a further queue of the same stay."""
    for stay in _latest(stays, event.player):
        if event.word == "enqueue" and not stay.over and event.mode not in stay.modes:
            stay.modes.add(event.mode)
            stay.open.add(event.mode)
            return True
    return False


def _told(stays: dict[str, list[Stay]], event: Event) -> None:
    for stay in _latest(stays, event.player):
        if event.code in _REFUSALS and len(stay.open) == 1:
            stay.open.clear()
        if event.word == "Error" and event.code in ("already_in_queue", "in_other_queue"):
            _refused(stay)
        elif event.code == "match_pending" and _asked_only_to_leave(stay):
            stay.leaves_at = min(stay.leaves_at, event.at)
        elif event.word == "EnQueued" and not stay.over:
            if not stay.acknowledged:
                # A place that was seen before, and lost with a primary, was promised to nobody.
                stay.scores.clear()
                stay.seconds.clear()
            stay.acknowledged_at = min(stay.acknowledged_at, event.at)
        elif event.word == "MatchFound":
            stay.told_found = True
        elif event.word in _ENDS and not _said_again(stays[event.player], event.word):
            stay.ended.add(event.word)


def _refused(stay: Stay) -> None:
    """One request is done with for certain when it cannot have been sent more often."""
    stay.refusals += 1
    if stay.refusals % _TIMES_SENT == 0:
        stay.spare = max(0, stay.spare - 1)


def _said_again(mine: list[Stay], word: str) -> bool:
    """Whether this may tell the end of the stay before once more: the request to end that one was
    sent several times, and this one has not begun for anybody yet.
    """
    unheard = len(mine) > 1 and not mine[-1].acknowledged
    return unheard and word == "DeQueued" and word in mine[-2].ended


def _asked_only_to_leave(stay: Stay) -> bool:
    """Whether `match_pending` answers a dequeue: no enqueue is open that it could answer."""
    return stay.acknowledged and stay.may_be_over and not stay.spare


def _open_spare(stays: dict[str, list[Stay]], player: str) -> None:
    """A new stay, where the last is over and a request that was asked before its end had effect."""
    mine = stays.get(player, [])
    if mine and mine[-1].over and mine[-1].spare:
        last = mine[-1]
        mine.append(
            Stay(
                player=player,
                mode=last.mode,
                modes=set(last.modes),
                asked_at=last.asked_at,
                spare=last.spare - 1,
                # As often as it asked to leave and to come, and nobody heard of either.
                renewals=(last.spare - 1) * last.may_be_over,
            )
        )


def _in_match(
    stays: dict[str, list[Stay]],
    event: Event,
    live: dict[str, Match],
    lifetimes: Mapping[str, float],
) -> None:
    for player, seconds in event.players:
        for stay in _latest(stays, player):
            _age(stay, event.at, lifetimes)
            stay.seconds.add(seconds)
    if event.what is What.STARTED or event.word == "publish":
        _delivered(stays, event.match, live)


def _delivered(stays: dict[str, list[Stay]], match: str, live: dict[str, Match]) -> None:
    """Ends the stays of its players, once: the same match is seen in several ways.

    What was asked of another queue, and was not done yet, may be done afterwards: nobody knows when
    it was sent, and the player is told of the match and of the queue in this order.
    """
    if match not in live:
        return
    ended = live.pop(match)
    for player in ended.players:
        _open_spare(stays, player)
        for stay in _latest(stays, player):
            stay.matches.add(match)
            if len(stay.modes) > 1:
                stay.spare += len(stay.open - {ended.mode})


def _seen(
    stays: dict[str, list[Stay]],
    event: Event,
    live: dict[str, Match],
    lifetimes: Mapping[str, float],
) -> None:
    assert event.state is not None  # noqa: S101  # asked by the caller
    for match in event.state.started:
        _delivered(stays, match, live)
    for tag, queue in event.state.queues.items():
        for player, score in queue.items():
            _open_spare(stays, player)
            for stay in _latest(stays, player):
                _age(stay, event.at, lifetimes)
                _done_late(stay, tag)
                stay.put_back |= tag == stay.mode and (event.since or event.at) > stay.leaves_at
                stay.open.discard(tag)
                stay.scores.add(score)
                stay.seconds.add(int(score))


def _done_late(stay: Stay, tag: str) -> None:
    """In a queue that was not asked for in this stay, but before it."""
    if stay.spare and tag in stay.late - stay.modes:
        stay.spare -= 1
        stay.modes.add(tag)


def _latest(stays: dict[str, list[Stay]], player: str) -> Iterator[Stay]:
    if player in stays:
        yield stays[player][-1]
