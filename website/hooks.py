"""What mkdocs is told beside mkdocs.yml, so that pages need not know of the site.

Links in the pages are those of the repository: they lead to README.md, to config/, to deploy/. Here
README.md becomes the first page, and every file that a page links to comes with the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
}
"""Pages that stand outside of docs/, and what they are called in the site."""
RUNBOOKS = "Runbooks"
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:)([^)#\s]+)(?=[)#])")


def site_path(path: str) -> str:
    """Where a file of the repository is in the site, before mkdocs renders it."""
    return ROOT_PAGES.get(path, path.removeprefix("docs/"))


def targets(text: str, page: str) -> Iterator[str]:
    """The files of the repository that a page links to. `page` is a path in the repository."""
    for found in _LINK.finditer(text):
        yield _target(found[1], page)


def relinked(text: str, page: str) -> str:
    """The page with its links as they are in the site."""
    here = posixpath.dirname(site_path(page))

    def link(found: re.Match[str]) -> str:
        return posixpath.relpath(site_path(_target(found[1], page)), here or ".")

    return _LINK.sub(link, text)


def _target(link: str, page: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def pages() -> list[str]:
    """Every page of the site, as a path in the repository."""
    inside = (each.relative_to(ROOT).as_posix() for each in DOCS.rglob("*.md"))
    return [*ROOT_PAGES, *sorted(inside)]


def runbooks() -> list[str]:
    """The pages of the section that fills itself, as mkdocs names them."""
    return sorted(each.relative_to(DOCS).as_posix() for each in DOCS.glob("runbooks/*.md"))


def on_config(config: Any) -> Any:
    """Puts the runbooks, once there are some, behind the how-to pages."""
    if found := runbooks():
        config.nav.insert(2, {RUNBOOKS: found})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages from outside of docs/, and the files that pages link to."""
    from mkdocs.structure.files import File  # noqa: PLC0415  # tests import this without mkdocs

    wanted = set(ROOT_PAGES)
    for page in pages():
        wanted |= {
            target
            for target in targets((ROOT / page).read_text("utf-8"), page)
            if not target.startswith("docs/")
        }
    for path in sorted(wanted):
        # What does not exist stays a dead link, which ends the build.
        if (ROOT / path).is_file():
            content = (ROOT / path).read_bytes()
            files.append(File.generated(config, site_path(path), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns the links of the repository into those of the site."""
    in_site = page.file.src_uri
    outside = {name: path for path, name in ROOT_PAGES.items()}
    return relinked(markdown, outside.get(in_site, f"docs/{in_site}"))
