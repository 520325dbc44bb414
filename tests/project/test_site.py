"""The documentation as a site: what `make docs` needs, looked at without mkdocs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from website import hooks

ROOT = hooks.ROOT
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(each)


def test_each_page_is_in_the_navigation_once() -> None:
    found = Counter(_pages(CONFIG["nav"])) + Counter(hooks.runbooks())
    assert found == Counter(hooks.site_path(page) for page in hooks.pages())


def test_runbooks_come_behind_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    class Config:
        nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]

    monkeypatch.setattr(hooks, "runbooks", lambda: ["runbooks/redis.md"])
    sections = [next(iter(each)) for each in hooks.on_config(Config).nav]
    assert sections[:4] == ["Matchkeeper", "How to", "Runbooks", "Reference"]


def test_the_build_is_strict_and_the_site_needs_no_network() -> None:
    assert CONFIG["strict"] is True
    assert CONFIG["theme"]["font"] is False
    levels = {**CONFIG["validation"]["nav"], **CONFIG["validation"]["links"]}
    assert set(levels.values()) == {"warn"}
    assert "offline" not in CONFIG["plugins"], "it loads a script from elsewhere"
    assert f"{CONFIG['site_dir']}/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("page", "link", "in_site"),
    [
        ("README.md", "docs/wire.md#answers", "wire.md#answers"),
        ("README.md", "docs/demo.svg", "demo.svg"),
        ("README.md", "LICENSE", "LICENSE"),
        ("docs/wire.md", "schemas/answer.json", "schemas/answer.json"),
        (
            "docs/guarantees.md",
            "../README.md#what-is-not-promised",
            "index.md#what-is-not-promised",
        ),
        ("docs/decisions/0001-x.md", "../../config/a.toml", "../config/a.toml"),
        ("docs/decisions/0001-x.md", "../wire.md", "../wire.md"),
        ("docs/runbooks/redis.md", "../../README.md", "../index.md"),
        ("CONTRIBUTING.md", "docs/reliability.md", "reliability.md"),
        ("docs/cli.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/cli.md", "#here", "#here"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(
    page: str, link: str, in_site: str
) -> None:
    assert hooks.relinked(f"[a]({link})", page) == f"[a]({in_site})"


def test_linked_files_outside_of_the_documentation_are_files() -> None:
    for page in hooks.pages():
        for target in hooks.targets((ROOT / page).read_text("utf-8"), page):
            if not target.startswith("docs/"):
                assert (ROOT / target).is_file(), f"{page}: {target}"
