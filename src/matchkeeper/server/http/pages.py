"""The live page at `/`: its files as they are. A policy lets nothing else run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException

FOLDER = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def page_router() -> Router:
    """`/` and `/page/…`. Only what is in the folder at the start is ever served."""
    files = {
        path.relative_to(FOLDER).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }

    @get("/", include_in_schema=False, sync_to_thread=False)
    def page() -> Response[bytes]:
        return answer(files, "index.html")

    @get("/page/{name:path}", include_in_schema=False, sync_to_thread=False)
    def file(name: str) -> Response[bytes]:
        return answer(files, str(name).lstrip("/"))

    return Router("/", route_handlers=[page, file])


def answer(files: dict[str, tuple[bytes, str]], name: str) -> Response[Any]:
    """One file. Raises NotFoundException."""
    if name not in files:
        raise NotFoundException(f"The page has no file {name!r}")
    content, media_type = files[name]
    return Response(content, media_type=media_type, headers=HEADERS)
