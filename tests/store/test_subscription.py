"""Listening on Pub/Sub: what counts as silence, on real servers."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from matchkeeper.errors import StoreTimeoutError
from matchkeeper.store.embedded import executable
from matchkeeper.store.subscription import subscribed
from tests.conftest import RealServer, wait_until
from tests.support.stores import open_stores

LOOPS = [asyncio.run, uvloop.run]


def say(valkey: RealServer, text: str) -> None:
    """From outside, while this process does nothing else."""
    cli = executable().with_name("valkey-cli")
    done = subprocess.run(
        [cli, "-p", str(valkey.port), "publish", "news", text], capture_output=True, check=True
    )
    assert done.stdout.strip() == b"1", "somebody is subscribed"


@pytest.mark.parametrize("run", LOOPS)
def test_what_came_while_this_process_stood_still_is_heard(
    run: Callable[[Coroutine[Any, Any, None]], None], valkey: RealServer
) -> None:
    """Also where Redis had been silent before, and a PING to it was not answered yet."""

    async def listen() -> None:
        heard: list[bytes] = []
        async with (
            open_stores(valkey.url, timeout=1) as stores,
            subscribed(stores.connection, ["news"]) as subscription,
        ):
            listening = asyncio.ensure_future(
                subscription.listen(lambda _, payload: heard.append(payload))
            )
            valkey.signal(signal.SIGSTOP)
            await asyncio.sleep(1.2)  # by now it has asked whether Redis is there
            valkey.signal(signal.SIGCONT)
            say(valkey, "hello")
            time.sleep(1.5)  # noqa: ASYNC251  # this is what is tried
            await wait_until(lambda: bool(heard) or listening.done(), seconds=5)
            assert heard == [b"hello"]
            listening.cancel()

    run(listen())


async def test_a_redis_that_says_nothing_is_away(valkey: RealServer) -> None:
    async with (
        open_stores(valkey.url, timeout=0.4) as stores,
        subscribed(stores.connection, ["news"]) as subscription,
    ):
        valkey.signal(signal.SIGSTOP)
        async with asyncio.timeout(10):
            with pytest.raises(StoreTimeoutError, match=r"listen timeout after 0\.4s"):
                await subscription.listen(lambda *_: None)
        valkey.signal(signal.SIGCONT)


async def test_a_redis_with_nothing_to_say_is_there(valkey: RealServer) -> None:
    async with (
        open_stores(valkey.url, timeout=0.4) as stores,
        subscribed(stores.connection, ["news"]) as subscription,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await subscription.listen(lambda *_: None)
