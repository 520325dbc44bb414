"""Whether the server is alive, whether it is ready, and its metrics."""

from __future__ import annotations

import time
from collections.abc import Callable

from litestar import MediaType, Response, Router, get
from litestar.openapi.datastructures import ResponseSpec

from matchkeeper.errors import StoreError
from matchkeeper.observe.logging import dropped_lines
from matchkeeper.observe.metrics import CONTENT_TYPE
from matchkeeper.resilience.breaker import BreakerState
from matchkeeper.resilience.deadline import within
from matchkeeper.server.http.models import Readiness
from matchkeeper.server.lifecycle import Phase
from matchkeeper.server.wiring import Context

_PING_SECONDS = 2.0
_REMEMBERED_SECONDS = 1.0


class _Ping:
    """Whether Redis answers. It is asked at most once a second, however often probes come."""

    def __init__(self, context: Context, clock: Callable[[], float]) -> None:
        self._context = context
        self._clock = clock
        self._asked_at = -_REMEMBERED_SECONDS
        self._problem: str | None = None

    async def problem(self) -> str | None:
        """A sentence, or None when Redis answers."""
        if self._clock() - self._asked_at >= _REMEMBERED_SECONDS:
            self._asked_at = self._clock()
            try:
                await within(_PING_SECONDS, "ping", self._context.stores.connection.ping())
            except StoreError as error:
                self._problem = error.message
            else:
                self._problem = None
        return self._problem


def unfit(context: Context) -> list[str]:
    """Why the server cannot do its work, Redis aside."""
    reasons = []
    if context.server.phase is not Phase.RUNNING:
        reasons.append(f"The server is {context.server.phase.value}.")
    if not context.pubsub.listening:
        reasons.append("Requests by Pub/Sub are not heard.")
    if context.stream is not None and not context.stream.reading:
        reasons.append("Requests by stream are not read.")
    return reasons


async def readiness(context: Context, ping: _Ping) -> Readiness:
    """Ready means: running, connected, hearing requests. Missing game servers do not count."""
    reasons = []
    state, known = context.breaker.state, context.redis_events.problem
    if known:
        reasons.append(f"Redis answers, but does not do its work: {known}")
    elif state is not BreakerState.CLOSED:
        reasons.append(f"The circuit breaker is {state.value}: Redis is out of reach.")
    elif problem := await ping.problem():
        reasons.append(f"Redis does not answer: {problem}")
    reasons += unfit(context)
    return Readiness(ready=not reasons, reasons=reasons, warnings=_warnings(context))


def _warnings(context: Context) -> list[str]:
    warnings = []
    if context.game_servers.missing:
        warnings.append("No game server hears battle requests.")
    if pods := sorted(context.claimers.not_started()):
        warnings.append(f"Claims are refused, since they start no match: {', '.join(pods)}.")
    noticed = [f"{each.title}." for each in context.watches.problems()]
    return warnings + context.fleet.warnings() + noticed


def health_router(context: Context, *, clock: Callable[[], float] = time.monotonic) -> Router:
    """`/health/live`, `/health/ready` and `/metrics`."""
    ping = _Ping(context, clock)

    @get("/health/live", summary="Is the process alive?", sync_to_thread=False)
    def live() -> dict[str, bool]:
        return {"alive": True}

    @get(
        "/health/ready",
        summary="Should it get requests? 503 with the reasons when not.",
        responses={503: ResponseSpec(data_container=Readiness, description="Not ready, and why")},
    )
    async def ready() -> Response[Readiness]:
        state = await readiness(context, ping)
        return Response(state, status_code=200 if state.ready else 503)

    @get("/metrics", summary="Prometheus metrics", media_type=MediaType.TEXT)
    async def metrics() -> Response[bytes]:
        # Asked here, so that people on call see the same as the probes of a load balancer.
        ready = (await readiness(context, ping)).ready
        page = context.metrics.at_scrape(ready=ready, dropped_lines=dropped_lines())
        return Response(page, media_type=CONTENT_TYPE)

    return Router("/", route_handlers=[live, ready, metrics], tags=["health"])
