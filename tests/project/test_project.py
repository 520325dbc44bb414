"""What stands around the code: workflow, forms for issues, pages that name parts of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import matchkeeper

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_workflow_runs_what_everybody_runs_and_may_only_read() -> None:
    workflow = _read(GITHUB / "workflows/tests.yml")
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert workflow["permissions"] == {"contents": "read"}
    assert job["timeout-minutes"] > 0


@pytest.mark.parametrize("name", ["bug", "wish"])
def test_forms_for_issues_can_be_filled_in(name: str) -> None:
    form = _read(GITHUB / f"ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= form.keys()
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in fields}) == len(fields)
    assert all(each["attributes"]["label"] for each in fields)
    assert any(each.get("validations", {}).get("required") for each in fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_targets_that_make_knows(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = re.findall(r"(?:`|^)make ([a-z]+(?: [a-z]+)*)", page.read_text("utf-8"), re.M)
    assert {target for words in named for target in words.split()} <= known


def test_the_table_of_packages_is_that_of_the_code() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = page.partition("## The packages")[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`[^|]*) \|", table, re.M)
    named = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
    package = Path(matchkeeper.__file__).parent
    assert named == {each.parent.name for each in package.glob("*/__init__.py")}
