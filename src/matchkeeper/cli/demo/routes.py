"""The controls over HTTP, for this machine only. Nothing but the demo mounts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request, Router, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from matchkeeper.cli.demo.controls import Board, Controls

_SAME_SITE = frozenset({"same-origin", "none"})


def demo_router(controls: Controls) -> Router:
    """`GET /demo` and `POST /demo/{name}`."""

    @get("/", summary="What can be broken, and how it stands", sync_to_thread=False)
    def board() -> Board:
        return controls.board()

    @post("/{name:str}", summary="Press a control", status_code=200, guards=[_only_from_here])
    async def press(name: str, request: Request[Any, Any, Any]) -> Board:
        del request  # so that nobody reads a body, whatever is in it
        return await controls.press(name)

    return Router("/demo", route_handlers=[board, press], include_in_schema=False)


def press_problem(headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Why a press is refused, as status and sentence: a page from elsewhere must not break things.

    Browsers say where a request comes from. A client that says nothing is no modern browser, and
    must send JSON. A page can send JSON elsewhere only with permission, and none has it here.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != f"http://{headers.get('host', '')}":
        return 403, "A page from elsewhere may not press the demo's controls."
    if site is not None and site not in _SAME_SITE:
        return 403, "A page from elsewhere may not press the demo's controls."
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if origin is None and site is None and kind != "application/json":
        return 415, "Send the header Content-Type: application/json."
    return None


def _only_from_here(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if problem := press_problem(connection.headers):
        status, sentence = problem
        raise HTTPException(status_code=status, detail=sentence)
