"""The embedded Valkey: starts, keeps its data, and is taken over after a kill."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.store.embedded import EmbeddedServerError, embedded_server


async def test_it_keeps_its_data_and_ends_with_us(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server, Redis.from_url(server.url) as redis:
        assert str((await redis.info())["valkey_version"]).startswith("8.")
        await redis.set("k", "v")
        first = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    async with embedded_server(tmp_path) as server, Redis.from_url(server.url) as redis:
        assert await redis.get("k") == b"v"


async def test_it_syncs_as_it_is_told(tmp_path: Path) -> None:
    async with (
        embedded_server(tmp_path, appendfsync="always") as server,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        assert await redis.config_get("appendfsync") == {"appendfsync": "always"}


async def test_one_process_a_folder(tmp_path: Path) -> None:
    async with embedded_server(tmp_path):
        with pytest.raises(EmbeddedServerError, match="Another Matchkeeper"):
            async with embedded_server(tmp_path):
                pass


async def test_a_server_left_behind_by_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        note = (tmp_path / "server").read_text()
        async with Redis.from_url(server.url) as redis:
            await redis.set("k", "v")
        other = tmp_path / "other"
        other.mkdir()
        (other / "server").write_text(note)
        async with (
            embedded_server(other, appendfsync="always") as again,
            Redis.from_url(again.url, decode_responses=True) as redis,
        ):
            assert (again.pid, again.port) == (server.pid, server.port)
            assert await redis.config_get("appendfsync") == {"appendfsync": "always"}


HALF = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1\r\n1\r\n"


@pytest.mark.parametrize("torn", [b"*3\r\n$3\r\nSET\r\n$1\r\nb", b"*1\r\n$4\r\nEX", b""])
async def test_what_a_kill_has_left_of_a_script_is_never_done(tmp_path: Path, torn: bytes) -> None:
    async def killed_after(key: str) -> None:
        async with embedded_server(tmp_path, appendfsync="always") as server:
            async with Redis.from_url(server.url) as redis:
                await redis.set(key, "1")
            os.kill(server.pid, signal.SIGKILL)

    await killed_after("before")
    (last,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    with last.open("ab") as file:
        file.write(HALF + torn)
    for key in ("between", "after"):
        await killed_after(key)
    async with embedded_server(tmp_path) as server, Redis.from_url(server.url) as redis:
        assert await redis.mget("before", "half", "between", "after") == [b"1", None, b"1", b"1"]
