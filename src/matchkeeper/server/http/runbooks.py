"""The runbooks, served by the server itself: people who need them may have no internet."""

from __future__ import annotations

import html
import posixpath
from pathlib import Path

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from markdown_it import MarkdownIt
from markdown_it.token import Token

import matchkeeper
from matchkeeper.server.http.pages import HEADERS

_PACKAGE = Path(matchkeeper.__file__).parent
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Matchkeeper</title>
<link rel="icon" href="../../page/icon.svg">
<link rel="stylesheet" href="../../page/page.css">
</head>
<body class="document">
<nav aria-label="Back">{nav}</nav>
<main>
{body}</main>
</body>
</html>
"""


_NAV = '<a href="../../">Live page</a> <a href="index.md">All runbooks</a>'


def folder() -> Path:
    """Where the runbooks are: in the package, or beside the source in a checkout."""
    inside = _PACKAGE / "runbooks"
    return inside if inside.is_dir() else _PACKAGE.parent.parent / "docs" / "runbooks"


def rendered(text: str, *, nav: str = _NAV) -> str:
    """Markdown as a page. Links to other folders become text, since these are not served."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.children:
            token.children = _without_links_outside(token.children)
    heading = next((i for i, token in enumerate(tokens) if token.type == "heading_open"), None)
    title = "Runbook" if heading is None else tokens[heading + 1].content
    body = markdown.renderer.render(tokens, markdown.options, {})
    return _FRAME.format(title=html.escape(title), nav=nav, body=body)


def _without_links_outside(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    inside = True
    for token in tokens:
        if token.type == "link_open":
            inside = "/" not in str(token.attrGet("href"))
        if inside or token.type not in ("link_open", "link_close"):
            kept.append(token)
        if token.type == "link_close":
            inside = True
    return kept


def runbook_router() -> Router:
    """`/docs/runbooks/…`, at the paths that the alerts name."""
    here = folder()
    pages = {path.name: rendered(path.read_text("utf-8")) for path in sorted(here.glob("*.md"))}

    @get("/docs/runbooks/{name:str}", include_in_schema=False, sync_to_thread=False)
    def runbook(name: str) -> Response[str]:
        page = pages.get(posixpath.basename(name))
        if page is None:
            raise NotFoundException(f"There is no runbook {name!r}; see docs/runbooks/index.md")
        return Response(page, media_type="text/html", headers=HEADERS)

    return Router("/", route_handlers=[runbook])
