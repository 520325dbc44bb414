"""The HTTP API, by its own OpenAPI document: with the token and without."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import httpx
import hypothesis
from redis import Redis

from proof.fuzz.report import Tally, chance
from proof.fuzz.world import served
from tests.support.harness import FAST, Server

_DOCUMENT = "/api/v1/openapi.json"
_MISSING = "schemathesis is missing: uv sync --group fuzz"
_READY_SECONDS = 15.0
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "mode": ("Normal", "ranked", "SQUAD"),
    "player_id": ("Normal-0", "far", "{normal}", "\u0130", "a b", "p" * 128, "p" * 129),
    "match_id": ("0", "{normal}", "x" * 2000),
    "entry_id": ("0-0", "0", "1-1", "-", "+", "x", "99999999999999999999-1", "1-x"),
}
_BY_THE_DOCUMENT = ("RejectedPositiveData", "AcceptedNegativeData")
"""Checks that hold only while a case is as it was made."""
_TOKEN = {"Authorization": f"Bearer {FAST['MATCHKEEPER_SERVER__API_TOKEN']}"}


def run(tally: Tally, *, seconds: float) -> None:
    """Half of the time without the token, half with it."""
    try:
        schemathesis: Any = import_module("schemathesis")
    except ImportError:
        tally.fail(_MISSING, "")
        return
    with served() as (server, url):
        base = f"http://127.0.0.1:{server.port}"
        _until_ready(base)
        _furnish(url)
        for headers in ({}, _TOKEN):
            schema = schemathesis.openapi.from_url(base + _DOCUMENT)
            _requests(tally, schema, base, headers, seconds / 2)
        _judge_log(tally, server)


def _until_ready(base: str) -> None:
    over = time.monotonic() + _READY_SECONDS
    while True:
        try:
            if httpx.get(f"{base}/health/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > over:
            raise TimeoutError(f"{base} is not ready after {_READY_SECONDS:g} s")
        time.sleep(0.1)


def _furnish(url: str) -> None:
    """Something to look at: a player alone, a player set aside, and an unclaimed match."""
    with Redis.from_url(url) as redis:
        for number, mode in enumerate(("Normal", "Ranked", "Squad", "Squad")):
            fields = {"player_id": f"{mode}-{number}", "game_mode": mode}
            odd = {"pod_id": "pod-a", "metadata": {"mmr": 1500, "x": [1, None, "é"]}}
            redis.publish("match:enqueue:request", json.dumps({**fields, **odd}))
        redis.zadd("queue:{normal}", {b"\xff": 1, b"no pod": 2})
        redis.hset("metadata:{normal}", mapping={b"\xff": b"{}", b"no pod": b"[]"})
        # As it came over the wire: the parsers of the web are stricter with numbers than we are.
        redis.publish(
            "match:enqueue:request",
            '{"player_id":"far","game_mode":"Ranked","pod_id":"p","metadata":{"x":1e999}}',
        )
    time.sleep(1)


def _requests(
    tally: Tally, schema: Any, base: str, headers: Mapping[str, str], seconds: float
) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    over = time.monotonic() + seconds
    for left, operation in zip(range(len(operations), 0, -1), operations, strict=True):
        share = (over - time.monotonic()) / left
        _operation(tally, operation, base, headers, time.monotonic() + max(0.5, share))


def _operation(
    tally: Tally, operation: Any, base: str, headers: Mapping[str, str], over: float
) -> None:
    """Cases of one operation, in rounds of a few, until its time is over."""

    @hypothesis.seed(tally.seed)
    @hypothesis.settings(
        max_examples=1000,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def one(case: Any) -> None:
        if time.monotonic() < over:
            _judge(tally, case, base, headers)

    one()


def _judge(tally: Tally, case: Any, base: str, headers: Mapping[str, str]) -> None:
    tally.tried += 1
    placed = _somewhere(chance(tally.seed, tally.target, tally.tried), case)
    response = case.call(headers=dict(headers))
    name = f"{case.method} {case.operation.path}"
    given = f"{'with' if headers else 'without'} token: {case.as_curl_command()}"
    if response.status_code >= 500:
        tally.fail(f"{name}: {response.status_code}", f"{given} -> {response.text}")
    else:
        tally.accepted += response.status_code < 400
        tally.refused += response.status_code >= 400
    try:
        case.validate_response(response)
    except (AssertionError, BaseExceptionGroup) as found:
        for error in found.exceptions if isinstance(found, BaseExceptionGroup) else (found,):
            if not placed or type(error).__name__ not in _BY_THE_DOCUMENT:
                _count(tally, f"{name}: {response.status_code}", given, error)
    if case.operation.path.endswith("/force-open"):
        httpx.post(f"{base}/api/v1/breaker/release", headers=_TOKEN)
        _until_ready(base)


def _somewhere(rng: random.Random, case: Any) -> bool:
    """Mostly asks for what exists, or nearly: chance alone would never name a mode.

    True where a path was changed: then nobody knows whether the document allows the case.
    """
    placed = False
    for name, known in _KNOWN.items():
        if name in (case.path_parameters or {}) and rng.random() < 0.7:
            case.path_parameters[name] = rng.choice(known)
            placed = True
    return placed


def _count(tally: Tally, name: str, given: str, error: BaseException) -> None:
    if type(error).__name__ == "ServerError":
        return  # counted above
    tally.fail(f"{name}: {getattr(error, 'title', type(error).__name__)}", f"{given} -> {error}")


def _judge_log(tally: Tally, server: Server) -> None:
    if server.process.poll() is not None:
        tally.fail("the server process ended", server.lines()[-5:])
    for line in server.lines('"loop_failed"'):
        event = json.loads(line)
        tally.fail(f"a defect in the log: {event['loop']}", event["error"])
