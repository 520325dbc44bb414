"""Game servers that are wrong on purpose, each in one way: `python wrong.py WAY FOLDER`.

FOLDER outlives them, for those who remember something wrong.

They are examples/game_server.py with one thing changed, so that nothing else can be at fault.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from matchkeeper.client import (
    GameServer,
    Offer,
    RefusedError,
    StoreError,
    asking,
    catching_up,
    inbox,
)

_EXAMPLE = Path(__file__).parents[2] / "examples/game_server.py"
_spec = importlib.util.spec_from_file_location("game_server", _EXAMPLE)
assert _spec is not None
assert _spec.loader is not None
game: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(game)
_play, _do = game.play, game.do


async def _starts_without_claiming(offer: Offer, running: set[str]) -> None:
    match = offer.request.match_id
    if match not in running:
        running.add(match)
        game.say(started=match)


async def _starts_when_claimed(offer: Offer, running: set[str]) -> None:
    match = offer.request.match_id
    if match not in running and await offer.claim():
        running.add(match)
        game.say(started=match)
        await offer.started()


async def _starts_when_refused(offer: Offer, running: set[str]) -> None:
    match = offer.request.match_id
    if match not in running:
        await offer.claim()
        await offer.started()
        running.add(match)
        game.say(started=match)


async def _ignores_a_refused_confirm(offer: Offer, running: set[str]) -> None:
    match = offer.request.match_id
    if match not in running and await offer.claim():
        running.add(match)
        await offer.started()
        game.say(started=match)


async def _ignores_the_epoch(offer: Offer, running: set[str]) -> None:
    first = msgspec.structs.replace(offer.request, epoch=1)
    await _play(Offer(request=first, _server=offer._server), running)


async def _starts_twice(offer: Offer, _running: set[str]) -> None:
    await _play(offer, set())


def _play_is(play: Callable[..., Any]) -> Callable[[], None]:
    def change() -> None:
        game.play = play

    return change


def _forgets_its_players() -> None:
    """It knows those whom it has put into a queue itself, since it was started."""
    mine: set[str] = set()
    say = game.say

    async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
        try:
            await pod.enqueue(wanted["player_id"], wanted["game_mode"], wanted["metadata"])
        except RefusedError:
            return
        mine.add(wanted["player_id"])
        game.say(told=wanted["player_id"], news="EnQueued")

    def tell(**what: str) -> None:
        if what.get("told", "") in mine or "started" in what:
            say(**what)

    game.do, game.say = do, tell


def _takes_a_new_name() -> None:
    """At each start."""
    os.environ["POD_ID"] = f"pod-{os.getpid()}"


def _returns_under_a_new_name() -> None:
    """It has a name for its first start, and another for each return."""
    been_here = _folder() / "been here"
    if been_here.exists():
        os.environ["POD_ID"] = f"pod-{os.getpid()}"
    been_here.touch()


def _starts_what_it_had_in_hand() -> None:
    """After a return it starts what it has claimed before."""
    in_hand = _folder() / "in hand"

    async def play(offer: Offer, running: set[str]) -> None:
        in_hand.write_text(offer.request.match_id)
        await _play(offer, running)
        in_hand.unlink(missing_ok=True)

    game.play = play
    if in_hand.exists():
        game.say(started=in_hand.read_text())


def _misses_what_it_did_not_hear() -> None:
    """It does not ask where its players are when it is back."""

    async def run(self: catching_up.CatchingUp) -> None:
        await asyncio.sleep(3600)

    catching_up.CatchingUp.run = run  # type: ignore[method-assign]


def _wishes_anew() -> None:
    """Whoever asks again is a new wish."""

    async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
        await _do(pod, kind, {**wanted, "request_id": None})

    game.do = do


def _believes_what_it_remembers() -> None:
    """After a return it asks for nobody whose match it had in hand: they wait, it thinks."""
    in_hand = _folder() / "players"
    remembered = set(in_hand.read_text().split()) if in_hand.exists() else set()

    async def play(offer: Offer, running: set[str]) -> None:
        request = offer.request
        teams = request.teams or [[each] for each in (request.player1, request.player2) if each]
        in_hand.write_text(" ".join(each.player_id for team in teams for each in team))
        await _play(offer, running)

    async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
        if wanted["player_id"] in remembered:
            game.say(told=wanted["player_id"], news="EnQueued")
        else:
            await _do(pod, kind, wanted)

    game.play, game.do = play, do


def _folder() -> Path:
    return Path(sys.argv[2])


def _lets_nobody_go() -> None:
    async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
        if kind == "enqueue":
            await _do(pod, kind, wanted)

    game.do = do


def _hides_refusals() -> None:
    say = game.say
    game.say = lambda **what: None if "_" in what.get("news", "") else say(**what)


def _asks_only_while_redis_is_there() -> None:
    async def once(ask: Callable[[], Any]) -> Any:
        try:
            return await ask()
        except StoreError:
            await asyncio.sleep(3600)

    game.until_answered = once


def _asks_once_for_the_last_word() -> None:
    again = asking.Asking.ask

    async def ask(
        self: asking.Asking, kind: str, body: dict[str, Any], answer: Any, **rest: Any
    ) -> Any:
        if body.get("kind") != "confirm":
            return await again(self, kind, body, answer, **rest)
        await self._write(kind, body, "")
        return await answer

    asking.Asking.ask = ask  # type: ignore[method-assign]


def _reads_strictly() -> None:
    """What it cannot read ends it."""
    take = inbox.Inbox._hear

    def hear(self: inbox.Inbox, channel: str, payload: bytes) -> None:
        try:
            message = json.loads(payload)
            named = message.get("match_id", message.get("player_id"))
            assert isinstance(named, str)
        except Exception:  # noqa: BLE001  # whatever it is
            os._exit(3)
        take(self, channel, payload)

    inbox.Inbox._hear = hear  # type: ignore[method-assign]


def _knows_every_field() -> None:
    """What it does not know ends it."""
    take = inbox.Inbox._hear

    def hear(self: inbox.Inbox, channel: str, payload: bytes) -> None:
        if b'"later"' in payload:
            os._exit(3)
        take(self, channel, payload)

    inbox.Inbox._hear = hear  # type: ignore[method-assign]


def _asks_once() -> None:
    asking._AGAIN_SECONDS = (3600.0,)  # type: ignore[assignment]


def _listens_once() -> None:
    async def run(self: inbox.Inbox) -> None:
        try:
            await self._listen()
        except StoreError:
            await asyncio.sleep(3600)

    inbox.Inbox.run = run  # type: ignore[method-assign]


def _tells_nobody() -> None:
    say = game.say
    game.say = lambda **what: say(**what) if "started" in what else None


def _drops_the_metadata() -> None:
    async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
        await _do(pod, kind, {**wanted, "metadata": {}})

    game.do = do


def _goes_on_for_ever() -> None:
    main = game.main

    async def forever() -> None:
        await main()
        await asyncio.sleep(3600)

    game.main = forever


def _says_no_bye() -> None:
    main = game.main

    async def abrupt() -> None:
        leave = GameServer.__aexit__

        async def out(self: GameServer, *_: object) -> None:
            os._exit(0)

        GameServer.__aexit__ = out  # type: ignore[method-assign]
        await main()
        GameServer.__aexit__ = leave  # type: ignore[method-assign]

    game.main = abrupt


WAYS: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "starts_without_claiming": _play_is(_starts_without_claiming),
    "starts_when_claimed": _play_is(_starts_when_claimed),
    "starts_when_refused": _play_is(_starts_when_refused),
    "ignores_a_refused_confirm": _play_is(_ignores_a_refused_confirm),
    "ignores_the_epoch": _play_is(_ignores_the_epoch),
    "starts_twice": _play_is(_starts_twice),
    "forgets_its_players": _forgets_its_players,
    "takes_a_new_name": _takes_a_new_name,
    "returns_under_a_new_name": _returns_under_a_new_name,
    "starts_what_it_had_in_hand": _starts_what_it_had_in_hand,
    "misses_what_it_did_not_hear": _misses_what_it_did_not_hear,
    "wishes_anew": _wishes_anew,
    "believes_what_it_remembers": _believes_what_it_remembers,
    "lets_nobody_go": _lets_nobody_go,
    "hides_refusals": _hides_refusals,
    "asks_only_while_redis_is_there": _asks_only_while_redis_is_there,
    "asks_once_for_the_last_word": _asks_once_for_the_last_word,
    "reads_strictly": _reads_strictly,
    "knows_every_field": _knows_every_field,
    "asks_once": _asks_once,
    "listens_once": _listens_once,
    "tells_nobody": _tells_nobody,
    "drops_the_metadata": _drops_the_metadata,
    "goes_on_for_ever": _goes_on_for_ever,
    "says_no_bye": _says_no_bye,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
    asyncio.run(game.main())
