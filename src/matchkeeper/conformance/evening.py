"""One evening: its players, what is wanted of the program, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from crowd.history import Event, State, What
from crowd.judge import judge
from matchkeeper.conformance.points import BrokenError, ConformanceError, Finding, Point
from matchkeeper.conformance.record import Offer
from matchkeeper.conformance.server import MODE
from matchkeeper.conformance.texts import handoff_in
from matchkeeper.conformance.world import World

QUIET_SECONDS = 0.4
"""By then a program has done what it does at once on what it heard."""
_TIDY_SECONDS = 8.0
_TIMES = 20


class OverError(Exception):
    """A point was not kept, and what comes after it on this evening cannot be tried."""


class Evening:
    """What an evening's script is told by. `judged`: the point that the judge's findings belong
    to.
    """

    def __init__(self, world: World, name: str, *, judged: Point) -> None:
        self.world = world
        self.name = name
        self._judged = judged
        self._findings: dict[Point, Finding] = {}
        self._players: dict[str, dict[str, Any]] = {}
        """player -> its task."""
        self.record = world.record
        self._is_judged = False
        self._started_before = len(world.record.started)

    @property
    def players(self) -> set[str]:
        """Everybody who came this evening."""
        return set(self._players)

    @contextmanager
    def point(self, point: Point) -> Iterator[None]:
        """What is inside shows whether the point is kept. Raises OverError where it is not."""
        try:
            yield
            if point is self._judged:
                self.nothing_unasked()
        except BrokenError as error:
            self.breaks(point, str(error))
            raise OverError from None
        self._findings.setdefault(point, Finding(point=point, evening=self.name, kept=True))

    def breaks(self, point: Point, why: str) -> None:
        """The point was not kept."""
        self._findings[point] = Finding(point=point, evening=self.name, kept=False, why=why)

    def nothing_unasked(self) -> None:
        """Raises BrokenError where the program started what it was not told to start."""
        for match in self.record.unasked:
            if match in self._matches():
                raise BrokenError(f"it started {match}, and was not told `started`")

    async def comes(self, name: str, *, mode: str = MODE) -> str:
        """A player clicks on Play; returns the id."""
        player = f"{self.name}-{name}"
        request = {
            "player_id": player,
            "game_mode": mode,
            "metadata": {"mmr": 1500, "name": name},
            "request_id": f"{player}-comes",
        }
        self._players[player] = {"enqueue": request}
        await self.asks_again(player)
        return player

    async def comes_elsewhere(self, name: str) -> str:
        """A player of the other game server asks to play; returns the id."""
        player = f"{self.name}-{name}"
        await self.world.puts_in(player)
        self._players[player] = {}
        return player

    async def asks_again(self, player: str) -> None:
        """The same line once more."""
        await self.world.program.say(self._players[player])

    async def hears_again(self, player: str) -> None:
        """A player is still there after the program's return, asks again, and hears something."""
        before = len(self.record.told)
        await self.asks_again(player)
        await self.world.until(
            lambda: any(who == player for who, _ in self.record.told[before:]),
            f"it told {player}, who is still there, nothing",
        )

    def task(self, player: str) -> Mapping[str, Any]:
        """What the player asked for."""
        wanted: Mapping[str, Any] = self._players[player]["enqueue"]
        return wanted

    async def leaves(self, player: str) -> None:
        """A player wants to play no more."""
        request = {"player_id": player, "game_mode": MODE, "request_id": f"{player}-leaves"}
        await self.world.program.say({"dequeue": request})

    def news(self, player: str) -> list[str]:
        """What servers said of a player: words, and codes of errors."""
        return [
            event.code or event.word
            for event in self.record.history
            if event.what is What.TOLD and event.player == player
        ]

    async def waits(self, player: str) -> None:
        """Returns once the player was told to be in the queue."""
        await self.world.until(
            lambda: "EnQueued" in self.news(player),
            f"no enqueue of {player} came that was accepted",
        )

    async def is_told(self, player: str, *words: str) -> None:
        """Returns once the program has told the player one of these."""

        def told() -> list[str]:
            return [news for who, news in self.record.told if who == player]

        await self.world.until(
            lambda: any(word in told() for word in words),
            lambda: f"it told {player} {told() or 'nothing'}, and not {' or '.join(words)}",
        )

    async def two_come(self) -> tuple[str, str]:
        """Two players who will be matched."""
        return await self.comes("a"), await self.comes("b")

    async def offered(self, *, beyond: int = 0) -> Offer:
        """The newest hand-out of this evening's match, of an epoch beyond that one. Raises
        BrokenError where the program did not ask for its players.
        """
        for player in [each for each in self.players if not beyond]:
            await self.waits(player)

        def found() -> list[Offer]:
            return [offer for offer in self.record.offers_of(self.players) if offer.epoch > beyond]

        await self.world.server_does(lambda: bool(found()), f"offer the match of {self.name}")
        return found()[-1]

    async def starts(self) -> None:
        """Returns once the program says that it starts this evening's match. Raises BrokenError
        where it does not, or says so twice.
        """
        own = self._own_starts
        await self.world.until(
            lambda: bool(own()), lambda: f"it did not start the match ({self._heard_last()})"
        )
        await asyncio.sleep(QUIET_SECONDS)
        if len(own()) > len(set(own())):
            raise BrokenError(f"it started {own()[-1]} {own().count(own()[-1])} times")

    async def found_elsewhere(self, player: str) -> None:
        """Returns once servers have said that the player has a match."""
        await self.world.server_does(
            lambda: "MatchFound" in self.news(player), f"tell {player} of the match"
        )

    async def is_told_once(self, player: str, word: str) -> None:
        """Returns once the program has told the player this. Raises BrokenError where it says so
        more than once.
        """
        await self.is_told(player, word)
        await asyncio.sleep(QUIET_SECONDS)
        times = self.record.told.count((player, word))
        if times > 1:
            raise BrokenError(f"it told {player} {word} {times} times")

    def queued_once(self, *players: str) -> None:
        """Raises BrokenError where a player is in the queue once more."""
        for player in players:
            after = self.news(player)
            after = after[after.index("MatchFound") :] if "MatchFound" in after else []
            if "EnQueued" in after:
                raise BrokenError(f"{player} was queued a second time, while the match runs")

    async def starts_nothing(self) -> None:
        """Raises BrokenError where it starts something all the same."""
        await asyncio.sleep(QUIET_SECONDS)
        if own := self._own_starts():
            raise BrokenError(f"it started {own[-1]} ({self._heard_last()})")

    async def is_answered(self, offer: Offer, *kinds: str) -> None:
        """Returns once the program is answered something of these kinds about this hand-out, or a
        later one.
        """
        pod = self.world.names.pod
        await self.world.until(
            lambda: any(
                came["kind"] in kinds and came["epoch"] >= offer.epoch
                for came in self.record.answers_to(pod, offer.match)
            ),
            f"no {' or '.join(kinds)} came",
        )

    async def is_played_elsewhere(self) -> None:
        """The other game server starts the match, under whichever epoch it is offered by now."""
        for _ in range(_TIMES):
            newest = await self.offered()
            if await self.world.hand("start", newest) == "started":
                return
            await asyncio.sleep(QUIET_SECONDS)
        raise ConformanceError(f"The other game server could not start the match of {self.name}")

    async def gives_back(self, offer: Offer) -> None:
        """A match that was offered goes back, and is offered again at once: whoever has it
        declines; where nobody has it, the other game server claims it first.
        """
        pod = self.world.names.pod
        if await self.world.hand("decline", offer, pod=pod) != "declined":
            await self.world.hand("claim", offer)
            await self.world.hand("decline", offer)

    def _own_starts(self) -> list[str]:
        """What it started this evening."""
        others = {offer.match for offer in self.record.offers} - self._matches()
        return [each for each in self.record.started[self._started_before :] if each not in others]

    def _heard_last(self) -> str:
        replies = [
            f"{came['reply']} to its {came['kind']} under epoch {came['epoch']}"
            for answer in self.record.reached
            if (came := handoff_in(answer)) and answer.get("match_id") in self._matches()
        ]
        return f"it was answered {replies[-1]}" if replies else "no answer about it has reached it"

    def _matches(self) -> set[str]:
        return {offer.match for offer in self.record.offers_of(self.players)}

    async def tidy(self) -> None:
        """Nothing of this evening stays in Redis: matches are played elsewhere, players leave."""
        end = self.world.clock() + _TIDY_SECONDS
        while (left := self._not_over()) and self.world.clock() < end:
            for offer in {each.match: each for each in self.record.offers_of(left)}.values():
                await self.world.hand("decline", offer, pod=self.world.names.pod)
                await self.world.hand("start", offer)
            for player in left:
                await self.world.takes_out(player)
            await asyncio.sleep(QUIET_SECONDS)

    def _not_over(self) -> set[str]:
        over: set[str] = set()
        for event in self._events():
            if event.what is What.STARTED:
                over |= self._players_of(event.match)
            elif event.what is What.TOLD:
                if event.code in ("not_in_queue", "invalid_game_mode") or event.word in (
                    "DeQueued",
                    "MatchFound",
                ):
                    over.add(event.player)
                elif event.word == "EnQueued":
                    over.discard(event.player)
        return self.players - over

    def _players_of(self, match: str) -> frozenset[str]:
        return next(
            (offer.players for offer in self.record.offers if offer.match == match), frozenset()
        )

    def _events(self) -> list[Event]:
        return list(self.record.events_of(self.players))

    def findings(self, points: tuple[Point, ...]) -> list[Finding]:
        """What came of each point, by what was seen until now; the judge has a word in it. What a
        program does late is seen after its evening.
        """
        look = Event(at=self.world.clock(), what=What.LOOKED, state=State())
        verdict = judge([*self._events(), look], settled=False)
        why = [each.text for each in verdict.findings]
        try:
            self.nothing_unasked()
        except BrokenError as error:
            why.insert(0, str(error))
        if why and not self._is_judged:
            known = self._findings.get(self._judged)
            if known is not None and known.why and known.why not in why:
                why.insert(0, known.why)
            self._is_judged = True
            self.breaks(self._judged, "; ".join(why))
        return [
            self._findings.get(point, Finding(point=point, evening=self.name, kept=None))
            for point in points
        ]


Script = Callable[[Evening], Coroutine[Any, Any, None]]
"""What happens on an evening."""
