"""The script: which evenings there are, and what happens on each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matchkeeper.conformance.evening import QUIET_SECONDS, Evening, Script
from matchkeeper.conformance.points import BrokenError, Point
from matchkeeper.conformance.server import MODE
from matchkeeper.conformance.texts import fields_of, handoff_in, word_in

_GONE_SECONDS = 2.0
_CLAIMS = ("claim", "start")
_LAST_WORDS = ("confirm", "start")
_UNREADABLE = (
    b"",
    b"hello",
    b"{",
    b"null",
    b"7",
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b'{"match_id":7,"epoch":"one","player1":null,"player2":[],"handoff":{}}',
    b'{"match_id":"m","epoch":null,"teams":[[{}]],"handoff":"claim"}',
    b'{"player_id":null,"result_type":null}',
    b'{"match_id":[],"result_type":{"Handoff":7}}',
    b'{"player_id":"x","result_type":{"MatchFound":[]}}',
    b"[" * 2000,
)
_NEW = (
    b'{"player_id":"nobody","result_type":"Promoted"}',
    b'{"player_id":"nobody","result_type":{"Promoted":{"to":"gold"}}}',
    b'{"match_id":"m","result_type":{"Handoff":{"kind":"sing","epoch":1,"token":"t","reply":"sung"}}}',
    b'{"news":"of tomorrow"}',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An evening as it stands in the program of the season."""

    does: str
    """In a few words."""
    points: tuple[Point, ...]
    """What is tried, in this order."""
    judged: Point
    """To which of them the findings of the judge belong."""
    script: Script


async def _good(evening: Evening) -> None:
    with evening.point(Point.LISTENS):
        await evening.world.listens()
    with evening.point(Point.ASKS):
        a, b = await evening.two_come()
        for player in (a, b):
            await evening.waits(player)
            _asked_right(evening, player)
    with evening.point(Point.STARTS):
        await evening.offered()
        await evening.starts()
    with evening.point(Point.TELLS):
        for player in (a, b):
            await evening.is_told(player, "EnQueued")
            await evening.is_told(player, "MatchFound")


def _asked_right(evening: Evening, player: str) -> None:
    """Raises BrokenError where a request is not as the player wishes."""
    task = evening.task(player)
    said = next(each for each in evening.record.said if each.body.get("player_id") == player)
    wanted = {
        "pod_id": evening.world.names.pod,
        "game_mode": MODE.lower(),
        "metadata": task["metadata"],
    }
    metadata = said.body.get("metadata")
    found = {
        "pod_id": said.body.get("pod_id"),
        "game_mode": str(said.body.get("game_mode")).lower(),
        "metadata": fields_of(metadata) if isinstance(metadata, str) else metadata,
    }
    for name, value in wanted.items():
        if found[name] != value:
            raise BrokenError(f"{player}: its {name} is {found[name]!r}, and not {value!r}")


async def _people(evening: Evening) -> None:
    with evening.point(Point.LEAVES):
        player = await evening.comes("leaver")
        await evening.waits(player)
        await evening.leaves(player)
        await evening.is_told(player, "DeQueued")
    with evening.point(Point.REFUSED):
        await evening.is_told(await evening.comes("lost", mode="Chess"), "invalid_game_mode")


async def _race_lost(evening: Evening) -> None:
    with evening.point(Point.RACE_LOST):
        with evening.world.tap.holding(*_CLAIMS) as held:
            a, b = await evening.two_come()
            offer = await evening.offered()
            await evening.world.until(lambda: bool(held.caught), "no claim came")
            await evening.is_played_elsewhere()
        await evening.is_answered(offer, *_CLAIMS)
        await evening.starts_nothing()
        for player in (a, b):
            await evening.is_told(player, "MatchFound")


async def _late_claim(evening: Evening) -> None:
    with evening.point(Point.LATE_CLAIM):
        with evening.world.tap.holding(*_CLAIMS) as held:
            await evening.two_come()
            offer = await evening.offered()
            await evening.world.until(lambda: bool(held.caught), "no claim came")
            await evening.offered(beyond=offer.epoch)
            await evening.is_played_elsewhere()
        await evening.is_answered(offer, *_CLAIMS)
        await evening.starts_nothing()


async def _new_epoch(evening: Evening) -> None:
    with evening.point(Point.NEW_EPOCH):
        with evening.world.tap.holding(*_CLAIMS) as held:
            await evening.two_come()
            offer = await evening.offered()
            await evening.world.until(lambda: bool(held.caught), "no claim came")
            await evening.gives_back(offer)
            newer = await evening.offered(beyond=offer.epoch)
        await evening.is_answered(newer, *_CLAIMS)
        await evening.starts()


async def _refused_confirm(evening: Evening) -> None:
    with evening.point(Point.REFUSED_CONFIRM):
        with evening.world.tap.holding(*_LAST_WORDS) as held:
            await evening.two_come()
            offer = await evening.offered()
            await evening.world.until(lambda: bool(held.caught), "no confirm came")
            await evening.gives_back(offer)
            await evening.offered(beyond=offer.epoch)
        await evening.is_answered(offer, *_LAST_WORDS)
        await evening.starts()


async def _lost_answer(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.ANSWER_LOST):
        before = world.tap.lost
        with world.tap.losing(lambda answer: word_in(answer) == "EnQueued"):
            a = await evening.comes("a")
            await world.until(lambda: world.tap.lost > before, "no enqueue came")
            await evening.is_told(a, "EnQueued", "already_in_queue")


async def _lost_claim(evening: Evening) -> None:
    losing = evening.world.tap.losing(_is_reply("claimed", "started"))
    with evening.point(Point.CLAIM_LOST), losing:
        await evening.two_come()
        await evening.offered()
        await evening.starts()


async def _lost_confirm(evening: Evening) -> None:
    with evening.point(Point.CONFIRM_LOST), evening.world.tap.losing(_is_reply("started")):
        await evening.two_come()
        await evening.offered()
        await evening.starts()


def _is_reply(*replies: str) -> Callable[[dict[str, Any]], bool]:
    return lambda answer: handoff_in(answer).get("reply") in replies


def _says_that_it_starts(answer: dict[str, Any]) -> bool:
    """To the game server or to a player, whichever comes first."""
    return _is_reply("started")(answer) or word_in(answer) == "MatchFound"


async def _twice(evening: Evening) -> None:
    with evening.point(Point.TWICE):
        await evening.two_come()
        offer = await evening.offered()
        await evening.starts()
        for _ in range(2):
            await evening.world.publish(evening.world.names.battle, offer.text)
            await evening.starts()


async def _malformed(evening: Evening) -> None:
    names = evening.world.names
    with evening.point(Point.MALFORMED):
        for channel in (names.battle, names.result):
            for payload in _UNREADABLE:
                await evening.world.publish(channel, payload)
        await _plays(evening)


async def _unknown(evening: Evening) -> None:
    names = evening.world.names
    with evening.point(Point.UNKNOWN):
        evening.world.tap.adorns = True
        try:
            for payload in _NEW:
                await evening.world.publish(names.result, payload)
            await evening.world.publish(names.battle, b'{"news":"of tomorrow"}')
            await evening.world.program.say({"sing": {"song": "of tomorrow"}})
            await _plays(evening)
        finally:
            evening.world.tap.adorns = False


async def _plays(evening: Evening) -> None:
    """An evening like others: two come, and play."""
    a, b = await evening.two_come()
    await evening.offered()
    await evening.starts()
    for player in (a, b):
        await evening.is_told(player, "MatchFound")


async def _redis_gone(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.COMES_BACK):
        a = await evening.comes("a")
        await evening.waits(a)
        await evening.is_told(a, "EnQueued", "already_in_queue")
        await world.lose_redis()
        b = await evening.comes("b")
        await asyncio.sleep(_GONE_SECONDS)
        await world.mend_redis()
        await world.listens()
    with evening.point(Point.REDIS_GONE):
        await evening.waits(b)
        await evening.offered()
        await evening.starts()


async def _killed(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.KEEPS_NAME):
        a = await evening.comes("a")
        await evening.waits(a)
        await world.program.kill()
        await world.program.start()
        await world.listens()
    with evening.point(Point.KEEPS_PLAYERS):
        await evening.hears_again(a)
        b = await evening.comes("b")
        await evening.waits(b)
        await evening.offered()
        await evening.starts()
        for player in (a, b):
            await evening.is_told(player, "MatchFound")


async def _killed_in_hand(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.IN_HAND):
        with world.tap.holding(*_LAST_WORDS) as held:
            a, b = await evening.two_come()
            offer = await evening.offered()
            await world.until(lambda: bool(held.caught), "no confirm came")
            await world.program.kill()
            held.drop()
            await evening.gives_back(offer)
        await world.program.start()
        await world.listens()
        for player in (a, b):
            await evening.asks_again(player)
        await evening.starts()
        for player in (a, b):
            await evening.is_told(player, "MatchFound")
        evening.queued_once(a, b)


async def _cut_off(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.CUT_OFF):
        a = await evening.comes("a")
        await evening.is_told(a, "EnQueued")
        world.tap.shut()
        await evening.comes_elsewhere("b")
        await evening.offered()
        await evening.is_played_elsewhere()
        await evening.found_elsewhere(a)
        await world.tap.open()
        await world.listens()
        await evening.is_told_once(a, "MatchFound")


async def _killed_as_it_starts(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.LEARNS):
        before = world.tap.lost
        with world.tap.losing(_says_that_it_starts, shuts=True):
            a, b = await evening.two_come()
            await evening.offered()
            await world.until(lambda: world.tap.lost > before, "no confirm came")
            await world.program.kill()
        for player in (a, b):
            await evening.found_elsewhere(player)
        await world.tap.open()
        await world.program.start()
        await world.listens()
        for player in (a, b):
            await evening.hears_again(player)
        for player in (a, b):
            await evening.is_told(player, "MatchFound")
        evening.queued_once(a, b)


async def _killed_while_playing(evening: Evening) -> None:
    world = evening.world
    with evening.point(Point.QUEUES_ONCE):
        a, b = await evening.two_come()
        await evening.offered()
        await evening.starts()
        for player in (a, b):
            await evening.is_told(player, "MatchFound")
        await world.program.kill()
        await world.program.start()
        await world.listens()
        for player in (a, b):
            await evening.hears_again(player)
        await asyncio.sleep(QUIET_SECONDS)
        evening.queued_once(a, b)


async def _end(evening: Evening) -> None:
    world = evening.world

    def said(kind: str) -> bool:
        return any(each.kind == kind for each in evening.record.said)

    with evening.point(Point.ENDS):
        world.program.end_input()
        await world.until(lambda: world.program.exit_code is not None, "it did not end")
        if world.program.exit_code:
            raise BrokenError(f"it ended with exit code {world.program.exit_code}")
    with evening.point(Point.BYE):
        if said("heartbeat") and not said("bye"):
            raise BrokenError("it said heartbeat, and ended without bye")


def _plan(does: str, script: Script, *points: Point, judged: Point | None = None) -> Plan:
    return Plan(does=does, points=points, judged=judged or points[-1], script=script)


PLANS: Mapping[str, Plan] = {
    "good": _plan(
        "two players come, and play",
        _good,
        *(Point.LISTENS, Point.ASKS, Point.STARTS, Point.TELLS),
        judged=Point.STARTS,
    ),
    "people": _plan("one leaves, one asks for nonsense", _people, Point.LEAVES, Point.REFUSED),
    "race-lost": _plan("another game server is faster", _race_lost, Point.RACE_LOST),
    "late-claim": _plan("its claim comes when the offer is over", _late_claim, Point.LATE_CLAIM),
    "new-epoch": _plan("a match is offered again", _new_epoch, Point.NEW_EPOCH),
    "refused-confirm": _plan(
        "its confirm comes when the match has gone back", _refused_confirm, Point.REFUSED_CONFIRM
    ),
    "lost-answer": _plan("the answer to an enqueue is lost", _lost_answer, Point.ANSWER_LOST),
    "lost-claim": _plan("the answer to a claim is lost", _lost_claim, Point.CLAIM_LOST),
    "lost-confirm": _plan("the answer to a confirm is lost", _lost_confirm, Point.CONFIRM_LOST),
    "twice": _plan("an offer is heard again", _twice, Point.TWICE),
    "malformed": _plan("messages that cannot be read", _malformed, Point.MALFORMED),
    "unknown": _plan("messages of a later version", _unknown, Point.UNKNOWN),
    "redis-gone": _plan(
        "Redis is gone for two seconds", _redis_gone, Point.COMES_BACK, Point.REDIS_GONE
    ),
    "killed": _plan("kill -9 while a player waits", _killed, Point.KEEPS_NAME, Point.KEEPS_PLAYERS),
    "cut-off": _plan("a match is found while its connection is away", _cut_off, Point.CUT_OFF),
    "killed-as-it-starts": _plan(
        "kill -9 between a confirm and its answer", _killed_as_it_starts, Point.LEARNS
    ),
    "killed-while-playing": _plan(
        "kill -9 while a match runs", _killed_while_playing, Point.QUEUES_ONCE
    ),
    "killed-in-hand": _plan("kill -9 before the last word", _killed_in_hand, Point.IN_HAND),
    "end": _plan("nobody plays any more", _end, Point.ENDS, Point.BYE),
}
