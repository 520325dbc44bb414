"""What comes in by HTTP, however it comes, keeps no player waiting."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.exceptions import HTTPException
from redis.asyncio import Redis

import matchkeeper
from matchkeeper.config import Settings, load
from matchkeeper.errors import StoreError
from matchkeeper.resilience.breaker import BreakerState
from matchkeeper.server.http import connections
from matchkeeper.server.http.connections import Closed, affordable
from matchkeeper.server.http.guards import budgeted, host_allowed
from matchkeeper.server.http.serving import bind, serve_http
from matchkeeper.server.process import run_server
from matchkeeper.server.wiring import build
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, Server, outside, serving

HALF = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


# How long and how many.


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its path; `/slow` after a while, `/large` with much."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    path = scope["path"].strip("/")
    if path == "slow":
        await asyncio.sleep(0.5)
    body = b"x" * 50_000_000 if path == "large" else path.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def edge(most: int = 100) -> AsyncIterator[tuple[int, list[Closed]]]:
    """An HTTP server here: its port, and what it closed."""
    closed: list[Closed] = []
    stop = asyncio.Event()
    listener = bind("127.0.0.1", 0)
    listener.listen()
    serve = serve_http(app, listener, most=most, on_closed=closed.append, stop=stop)
    port = listener.getsockname()[1]
    running = asyncio.ensure_future(serve)
    try:
        yield port, closed
    finally:
        stop.set()
        await running


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(connections, "READER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "_LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HALF,
        b"POST /takes HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{",
        b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" + HALF,
    ],
    ids=["nothing", "half its headers", "half its body", "half of its second request"],
)
async def test_who_does_not_send_a_whole_request_is_closed(sent: bytes) -> None:
    async with edge() as (port, closed):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        assert closed == [Closed.SLOW_REQUEST]
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_sending_a_byte_now_and_then_is_not_sending_a_request() -> None:
    async with edge() as (port, closed):
        _, writer = await asyncio.open_connection("127.0.0.1", port)

        async def drips() -> bool:
            with suppress(ConnectionError):
                writer.write(b"x")
                await writer.drain()
            return bool(closed)

        await wait_until(drips)
        assert closed == [Closed.SLOW_REQUEST]
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_who_takes_nothing_of_an_answer_is_closed() -> None:
    async with edge() as (port, closed):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: closed == [Closed.SLOW_READER])
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_who_waits_for_us_is_left_alone() -> None:
    async with edge() as (port, closed), httpx.AsyncClient() as http:
        for path in ("slow", "quick", "slow"):
            assert (await http.get(f"http://127.0.0.1:{port}/{path}")).text == path
        assert not closed


async def test_who_has_asked_for_nothing_makes_room_for_a_newcomer() -> None:
    async with edge(most=3) as (port, closed), httpx.AsyncClient() as http:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        idle[1][1].write(HALF)
        for _ in range(3):
            assert (await http.get(f"http://127.0.0.1:{port}/quick")).text == "quick"
        with suppress(ConnectionError):
            assert await idle[0][0].read() == b""
        assert closed == [Closed.CROWDED]
        for _, writer in idle:
            writer.close()


def test_what_others_need_is_reserved() -> None:
    assert affordable(256, descriptors=1024, in_use=20, redis=40) == 256
    assert affordable(256, descriptors=256, in_use=20, redis=40) == 132
    assert affordable(256, descriptors=100, in_use=20, redis=40) < 0


async def matched(wire: Outside, first: str, second: str) -> None:
    for player in (first, second):
        await wire.enqueue(player)
    await wire.is_told(second, "MatchFound", seconds=10)


async def test_half_sent_requests_use_up_no_descriptors_and_matching_goes_on(
    valkey: RealServer, tmp_path: Path
) -> None:
    few = {"redis__max_connections": 8}
    with serving(valkey.url, tmp_path, "ulimit -n 128; exec {}", **few) as server:
        await server.ready()
        assert server.lines("few_descriptors")
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        attackers = []
        async with outside(valkey.url) as wire:
            for number in range(300):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(HALF)
                attackers.append(writer)
                if number % 50 == 0:
                    await matched(wire, f"a{number}", f"b{number}")
                    assert (await server.get("/health/ready")).status_code == 200
                    assert len(list(descriptors.iterdir())) < 110
        assert await server.metric("matchkeeper_http_closed_total") > 100
        assert len(server.lines('"http_closed"')) < 5
        for writer in attackers:
            writer.close()


async def test_too_few_descriptors_are_an_error_that_says_what_to_do(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, "ulimit -n 64; exec {}") as server:
        assert await server.ended() == 2
        assert server.lines("The process may open 64 files, which is too few")
        assert server.lines("ulimit -n")


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """What this process opens while the test runs."""
    paths: list[str] = []
    listening = True

    def hear(event: str, args: tuple[object, ...]) -> None:
        if listening and event == "open":
            paths.append(str(args[0]))

    sys.addaudithook(hear)  # there is no way to take it away
    yield paths
    listening = False


@pytest.mark.filterwarnings("ignore")  # of the libraries, which other tests have in processes
async def test_every_file_of_the_package_is_read_at_the_start(
    valkey: RealServer, tmp_path: Path, opened: list[str]
) -> None:
    stop, up = asyncio.Event(), asyncio.Event()
    urls: list[str] = []
    settings = load(None, {"server.port": 0, "redis.embedded_dir": str(tmp_path)}, {})

    def ready(info: Any) -> None:
        urls.append(info.http_url)
        up.set()

    running = asyncio.ensure_future(run_server(settings, url=valkey.url, on_ready=ready, stop=stop))
    await up.wait()
    async with httpx.AsyncClient(base_url=urls[0]) as http, outside(valkey.url) as wire:

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await wait_until(is_ready)
        del opened[:]
        await matched(wire, "p1", "p2")
        for path in ("/", "/page/main.js", "/docs/runbooks/index.md", "/metrics", "/health/live"):
            assert (await http.get(path)).status_code == 200
        for path in ("queues", "queues/Normal", "players/p1", "matches/Normal", "pods", "version"):
            assert (await http.get(f"/api/v1/{path}")).status_code == 200
        assert (await http.get("/api/v1/dead-letters/Normal")).status_code == 200
    ours = str(Path(matchkeeper.__file__).parent)
    assert [path for path in opened if path.startswith(ours) and not path.endswith(".pyc")] == []
    stop.set()
    await running


# How much.


@pytest.fixture
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    slow_ticks = {"matchmaking__try_match_tick_interval_seconds": 60}
    with serving(valkey.url, tmp_path, server__allowed_hosts=["*.example.com"], **slow_ticks) as up:
        await up.ready()
        yield up


@pytest.fixture
async def redis(valkey: RealServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


async def test_a_large_queue_is_answered_in_parts(server: Server, redis: Redis) -> None:
    text = json.dumps({"pod_id": "a", "x": "y" * 60_000})
    names = [f"p{number:03}" for number in range(100)]
    await redis.zadd("queue:{ranked}", {name: at + 1 for at, name in enumerate(names)})
    await redis.hset("metadata:{ranked}", mapping=dict.fromkeys(names, text))
    found: list[str] = []
    start: int | None = 0
    while start is not None:
        answer = await server.get(f"/api/v1/queues/ranked?count=1000&start={start}")
        assert len(answer.content) < 2_200_000
        page = answer.json()
        found += [ticket["player_id"] for ticket in page["tickets"]]
        assert page["next_start"] in (None, len(found))
        start = page["next_start"]
    assert found == names


async def test_large_dead_letters_are_answered_in_parts(server: Server, redis: Redis) -> None:
    for number in range(60):
        letter: Any = {"player": f"p{number}", "reason": "r", "metadata": "x" * 60_000, "at": "1"}
        await redis.xadd("dead:{normal}", letter)
    found: list[str] = []
    before = ""
    while True:
        answer = await server.get(f"/api/v1/dead-letters/normal?count=1000{before}")
        assert len(answer.content) < 2_200_000
        if not answer.json():
            break
        found += [letter["id"] for letter in answer.json()]
        before = f"&before={found[-1]}"
    assert len(found) == len(set(found)) == 60
    entries: Any = await redis.xrevrange("dead:{normal}")
    assert found == [entry_id for entry_id, _ in entries]


async def test_what_people_ask_opens_no_breaker_of_matching() -> None:
    context = build(Settings(), "redis://127.0.0.1:1/0")
    for _ in range(10):
        with suppress(StoreError):
            await context.operator.queues()
    assert context.people.connection.breaker.state is BreakerState.OPEN
    assert context.breaker.state is BreakerState.CLOSED
    assert context.breaker.failures == 0


async def test_a_few_questions_at_once_a_few_wait_and_all_end() -> None:
    asked, most = 0, 0

    async def endless(*_: object) -> None:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        try:
            await asyncio.sleep(3600)
        finally:
            asked -= 1

    ask: Any = budgeted(at_once=2, waiting=3, seconds=0.1)(endless)
    ended = await asyncio.gather(*(ask({}, None, None) for _ in range(9)), return_exceptions=True)
    assert most == 2
    assert all(isinstance(each, HTTPException) and each.status_code == 503 for each in ended)
    assert sum("Too many" in str(each) for each in ended) == 4
    assert sum("No answer within" in str(each) for each in ended) == 5


# From where.


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ("127.0.0.1:8080", True),
        ("10.1.2.3", True),
        ("[::1]:8080", True),
        ("LOCALHOST:8080", True),
        ("play.example.com", True),
        ("PLAY.example.com:443", True),
        ("a.play.example.org", True),
        ("play.example.org", False),
        ("evil.example.net:8080", False),
        ("127.0.0.1.evil.example.net", False),
        ("localhost.evil.example.net", False),
        ("", False),
    ],
)
def test_which_hosts_are_known(header: str, good: bool) -> None:
    assert host_allowed(header, ["Play.example.com", "*.play.example.org"]) is good
    assert host_allowed(header, ["*"])


async def test_a_name_of_strangers_reads_nothing(server: Server) -> None:
    async def asked(path: str, host: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            return await http.get(path, headers={"Host": host})

    for path in ("/", "/api/v1/queues", "/api/v1/live", "/api/v1/openapi.json", "/page/main.js"):
        answer = await asked(path, "evil.example.net:8080")
        assert answer.status_code == 421, path
        assert answer.json()["error"]["code"] == "unknown_host"
    assert "server.allowed_hosts" in (await asked("/", "evil.example.net")).text
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert (await asked(path, "evil.example.net")).status_code == 200, path
    for host in ("localhost", "127.0.0.1", "mk.example.com"):
        assert (await asked("/api/v1/queues", host)).status_code == 200, host
