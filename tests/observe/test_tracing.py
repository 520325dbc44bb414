"""Traces: the whole server and the client library, with spans looked at from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from matchkeeper.client import GameServer
from matchkeeper.config import load
from matchkeeper.domain.match import Proposal
from matchkeeper.errors import StoreTimeoutError
from matchkeeper.observe.facts import Fact, Facts, Fields
from matchkeeper.server.wiring import Context, build
from matchkeeper.store import keys
from matchkeeper.store.asked import enqueue
from tests.conftest import RealServer, wait_until
from tests.handoff.test_claiming import next_offer
from tests.support.harness import Outside, outside
from tests.support.proxy import proxy_to
from tests.support.tickets import lone
from tests.support.traced import (
    NOT_SAMPLED,
    SAMPLED,
    SENT_AT_ONCE,
    TRACE,
    Seen,
    ask,
    below,
    id_of,
    linked,
    told,
    trace_of,
    tracing,
)

CLAIM = {"game_mode": "Squad", "required_players": 2, "handoff": "claim"}


@pytest.fixture(autouse=True)
def _sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*SENT_AT_ONCE)


@pytest.fixture
def pods() -> Iterator[tuple[Seen, TracerProvider]]:
    """OpenTelemetry as a game server sets it up."""
    seen = Seen()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(seen.exporter))
    yield seen, provider
    provider.shutdown()


async def test_one_trace_from_the_request_to_the_start(
    any_server: RealServer, pods: tuple[Seen, TracerProvider]
) -> None:
    pod_spans, provider = pods
    tracer = provider.get_tracer("a game")
    seen = Seen()
    async with (
        tracing(any_server.url, seen),
        GameServer(any_server.url, pod_id="pod-a", tracer_provider=provider) as pod,
        outside(any_server.url) as wire,
    ):
        for player in ("p1", "p2"):
            with tracer.start_as_current_span(f"login {player}"):
                await pod.enqueue(player, "Squad")
        offer = await next_offer(pod)
        kept = await wire.redis.keys("trace:*")
        assert set(kept) <= {"trace:{squad}:p1", "trace:{squad}:p2"}
        for key in kept:
            assert await wire.redis.pttl(key) > 0
        assert await offer.claim()
        assert await offer.started()
        handoff = await seen.comes("handoff")
    for player in ("p1", "p2"):
        login = pod_spans.one(f"login {player}")
        asked = pod_spans.one("enqueue", player_id=player)
        intake, wait = seen.one("intake", player_id=player), seen.one("wait", player_id=player)
        assert below(asked, login)
        assert below(intake, asked)
        assert below(wait, intake)
        assert told(intake) | {"mode": "Squad", "outcome": "queued", "via": "stream"} == told(
            intake
        )
        assert wait.start_time is not None
        assert wait.end_time is not None
        assert wait.start_time <= wait.end_time
        assert linked(wait) == {id_of(seen.one("match"))}
    match = seen.one("match")
    assert below(match, seen.one("intake", player_id="p1"))
    assert linked(match) == {id_of(seen.one("intake", player_id="p2"))}
    assert offer.request.traceparent.split("-")[1:3] == [trace_of(match), f"{id_of(match):016x}"]
    assert below(handoff, match)
    assert told(handoff)["outcome"] == "started"
    assert [event.name for event in handoff.events] == ["claimed"]
    for step, outcome in (("claim", "claimed"), ("confirm", "started")):
        assert below(pod_spans.one(step), match)
        assert told(pod_spans.one(step))["outcome"] == outcome
    assert trace_of(pod_spans.one("login p1")) == trace_of(pod_spans.one("confirm"))


async def test_other_servers_go_on_with_the_trace(valkey: RealServer) -> None:
    first, second, third = Seen(), Seen(), Seen()
    async with outside(valkey.url, pods=False) as wire, tracing(valkey.url, first, CLAIM):
        await ask(wire, "p1", "Squad", traceparent=SAMPLED)
        await ask(wire, "p2", "Squad")
    async with outside(valkey.url) as wire:
        quick = {"matchmaking__offer_timeout_seconds": 0.3, "matchmaking__max_offers": 5}
        async with tracing(valkey.url, second, CLAIM, **quick):
            await wait_until(lambda: bool(wire.offers))
        match, wait = second.one("match"), second.one("wait", player_id="p1")
        assert below(match, first.one("intake", player_id="p1"))
        assert below(wait, first.one("intake", player_id="p1"))
        assert wire.offers[0]["traceparent"] == f"00-{TRACE}-{id_of(match):016x}-01"
        async with tracing(valkey.url, third, CLAIM, **quick):
            await wait_until(lambda: wire.offers[-1]["epoch"] > 1)
        assert wire.offers[-1]["traceparent"].split("-")[1] == TRACE


async def test_what_goes_wrong_is_in_the_trace(
    valkey: RealServer, pods: tuple[Seen, TracerProvider]
) -> None:
    _, provider = pods
    seen = Seen()
    brief = {"game_mode": "Brief", "required_players": 2, "max_wait_seconds": 0.2}
    quick = {"matchmaking__offer_timeout_seconds": 0.2, "matchmaking__unclaimed_threshold": 100}
    async with (
        tracing(valkey.url, seen, CLAIM | {"claim_lease_seconds": 0.1}, brief, **quick),
        GameServer(valkey.url, pod_id="pod-a", tracer_provider=provider) as pod,
    ):
        await pod.enqueue("p1", "Squad")
        await pod.enqueue("p2", "Squad")
        offer = await next_offer(pod)
        again = await next_offer(pod)
        assert again.request.traceparent == offer.request.traceparent
        assert await again.claim()
        await pod.enqueue("p3", "Brief")
        handoff = await seen.comes("handoff")
        assert told(handoff)["outcome"] == "given_back"
        assert told(handoff)["cause"] == "lease_expired"
        assert not handoff.status.is_ok
        assert [event.name for event in handoff.events] == ["offered_again", "claimed"]
        assert told(await seen.comes("wait", player_id="p3"))["outcome"] == "expired"
        later = await next_offer(pod)
        assert later.request.match_id != offer.request.match_id
        same = [one.request.traceparent.split("-")[1] for one in (offer, later)]
        assert same[0] == same[1], "who goes back keeps place and trace"


async def test_who_sends_none_gets_a_trace_of_its_own(valkey: RealServer) -> None:
    seen = Seen()
    async with tracing(valkey.url, seen), outside(valkey.url) as wire:
        await ask(wire, "p1", traceparent={"no": ["string"]})
        await ask(wire, "p2", traceparent=SAMPLED[:-1])
        await wire.is_told("p2", "MatchFound")
        match = await seen.comes("match")
        assert seen.one("intake", player_id="p1").parent is None
        assert wire.offers[0]["traceparent"].split("-")[1] == trace_of(match)
        assert not seen.named("handoff"), "delivered with the commit"


async def test_only_what_is_sampled_is_kept_and_told(valkey: RealServer) -> None:
    seen = Seen()
    async with tracing(valkey.url, seen, tracing__sample_ratio=0), outside(valkey.url) as wire:
        await ask(wire, "p1")
        await ask(wire, "p2", traceparent=NOT_SAMPLED)
        await wire.is_told("p2", "MatchFound")
        assert "traceparent" not in wire.offers[0]
        await ask(wire, "p3", traceparent=SAMPLED)
        await wait_until(lambda: _has_keys(wire, "trace:{normal}:p3"))
        kept: Any = await wire.redis.get("trace:{normal}:p3")
        assert kept.split("-")[1] == TRACE
        await ask(wire, "p4")
        await wire.is_told("p4", "MatchFound")
        assert wire.offers[1]["traceparent"].split("-")[1] == TRACE
        await seen.comes("match")
    assert {trace_of(span) for span in seen.exporter.get_finished_spans()} == {TRACE}


async def _has_keys(wire: Outside, *expected: str) -> bool:
    return set(await wire.redis.keys("trace:*")) == set(expected)


async def test_what_fails_with_traces_fails_alone(valkey: RealServer) -> None:
    seen = Seen()
    lines: list[tuple[Fact[Any], Fields]] = []
    patterns = [f"~{each}" for each in keys.patterns() if not each.startswith("trace")]
    async with outside(valkey.url) as wire:
        narrow = ("ACL", "SETUSER", "narrow", "on", ">narrow", "&*", "+@all", *patterns)
        await wire.redis.execute_command(*narrow)
        url = valkey.url.replace("redis://", "redis://narrow:narrow@")
        async with tracing(url, seen) as context:
            context.log.readers.append(lambda *line: lines.append(line))
            await ask(wire, "p1")
            await ask(wire, "p2")
            await wire.is_told("p2", "MatchFound")
            await seen.comes("match")
            await wire.redis.mset(
                {"metadata:h1": '{"pod_id":"a"}', "metadata:h2": '{"pod_id":"a"}'}
            )
            await wire.redis.zadd("queue:{normal}", {"h1": 1, "h2": 2})
            await wire.is_told("h2", "MatchFound")
            for line in (
                'trace_contexts_lost_total{step="keep"} 2.0',
                'trace_contexts_lost_total{step="read"} 2.0',
                'breaker_state{state="closed"} 1.0',
            ):
                await wait_until(partial(_shows, context, line), what=line)
        lost = [fields for fact, fields in lines if fact is Facts.traces_lost]
        assert "No permissions" in str(lost[0]["error"])
        assert Facts.redis_refused not in [fact for fact, _ in lines]


def _shows(context: Context, line: str) -> bool:
    return line in context.metrics.render().decode()


async def test_a_ticket_has_only_its_own_trace(valkey: RealServer) -> None:
    seen = Seen()
    settings = load(None, {"tracing.enabled": True}, {})
    context = build(settings, valkey.url, exporter=seen.exporter)
    mode, traces = context.modes[0], context.traces
    async with context.stores.connection, traces.open(), outside(valkey.url) as wire:
        await wire.redis.set("trace:{normal}:p1", f"7.5 {SAMPLED}")
        await wire.redis.set("trace:{normal}:p2", "nonsense")

        def of(enqueued_at: float) -> dict[str, Proposal]:
            one, other = (lone(player, since=enqueued_at) for player in ("p1", "p2"))
            return {"m": Proposal(teams=((one,), (other,)))}

        assert await traces.proposed(mode, of(8.0)) == {}, "an earlier ticket has left it"
        offered = await traces.proposed(mode, of(7.5))
        assert offered["m"].split("-")[1] == TRACE
        timeout = StoreTimeoutError("commit timeout")
        context.facts.commit_failed(match_ids=offered, error=timeout)
    match = seen.one("match")
    assert not match.status.is_ok
    assert match.status.description == "commit timeout"
    assert not seen.named("wait"), "they wait on"


async def test_a_request_that_redis_did_not_do_is_in_the_trace(valkey: RealServer) -> None:
    seen = Seen()
    async with (
        proxy_to(valkey.port) as proxy,
        tracing(proxy.url, seen, retry__max_attempts=1),
        outside(valkey.url) as wire,
    ):
        proxy.lose_replies_to = enqueue.sha.encode()
        proxy.lose_at_most = 100
        request = {"player_id": "p1", "game_mode": "Normal", "metadata": {}, "pod_id": "pod-a"}
        await wire.redis.publish(
            "match:enqueue:request", json.dumps({**request, "traceparent": SAMPLED})
        )
        intake = await seen.comes("intake")
        proxy.lose_at_most = 0
    assert told(intake)["outcome"] == "failed"
    assert not intake.status.is_ok
    assert trace_of(intake) == TRACE
