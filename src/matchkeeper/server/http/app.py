"""The HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from matchkeeper import __version__
from matchkeeper.errors import MatchkeeperError, NotFoundError, StoreError
from matchkeeper.observe.facts import Facts
from matchkeeper.operate.operator import BadRequestError
from matchkeeper.server.http.docs import docs_router
from matchkeeper.server.http.failures import Failure, FailureAnswer
from matchkeeper.server.http.guards import only_hosts
from matchkeeper.server.http.health import health_router
from matchkeeper.server.http.live import MOST_PAGES, Live, live_route
from matchkeeper.server.http.pages import page_router
from matchkeeper.server.http.runbooks import runbook_router
from matchkeeper.server.http.v1 import api_router
from matchkeeper.server.wiring import Context

_MOST_BODY = 1024 * 1024
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    421: "unknown_host",
    503: "busy",
}
_STATUS: tuple[tuple[type[MatchkeeperError], int, str], ...] = (
    (NotFoundError, 404, "not_found"),
    (BadRequestError, 400, "bad_request"),
    (StoreError, 503, "redis_unavailable"),
)


def create_app(
    context: Context,
    *,
    stop: asyncio.Event | None = None,
    beside: Sequence[Router] = (),
    most_pages: int = MOST_PAGES,
) -> Litestar:
    """The page, health, metrics and `/api/v1` of a wired server, and the routes that the caller
    adds, such as the controls of a demo. `stop` ends the streams of open pages.
    """
    live = Live(
        context,
        stop=stop or asyncio.Event(),
        demo=bool(beside),
        most=min(most_pages, MOST_PAGES),
    )
    server = context.settings.server
    return Litestar(
        route_handlers=[
            health_router(context),
            api_router(context),
            live_route(live),
            page_router(),
            runbook_router(),
            docs_router(),
            *beside,
        ],
        exception_handlers={
            MatchkeeperError: _ours,
            HTTPException: _http,
            Exception: _defect(context.facts),
        },
        openapi_config=OpenAPIConfig(
            title="Matchkeeper",
            version=__version__,
            description="Queues, matches and dead letters of a match server. Calls that change "
            "something need the bearer token `server.api_token`, and are off while none is set.",
            path="/api/v1",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            components=Components(
                security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
            ),
        ),
        response_headers=[
            ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
            ResponseHeader(name="Cache-Control", value="no-store"),
        ],
        middleware=[only_hosts([server.host, *server.allowed_hosts])],
        request_max_body_size=_MOST_BODY,
        logging_config=None,
    )


def _error(status: int, code: str, message: str, hint: str = "") -> Response[Any]:
    failure = Failure(code=code, message=message, hint=hint)
    return Response(FailureAnswer(error=failure), status_code=status)


def _ours(_: Request[Any, Any, Any], error: MatchkeeperError) -> Response[Any]:
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _error(status, code, error.message, error.hint)
    return _error(500, "internal_error", error.message, error.hint)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    problems = "; ".join(
        f"{each.get('key', '')}: {each.get('message', '')}"
        for each in (error.extra if isinstance(error.extra, list) else [])
        if isinstance(each, dict)
    )
    code = _CODES.get(error.status_code, "http_error")
    answer = _error(error.status_code, code, problems or str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _defect(facts: Facts) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def tell(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        facts.loop_failed(loop=f"HTTP {request.url.path}", error=error)
        return _error(500, "internal_error", "This is a defect of Matchkeeper; please report it.")

    return tell
