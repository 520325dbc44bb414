"""What `deploy/` watches is what the server tells, and every alert has its page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped,unused-ignore]

from matchkeeper.cli.main import app
from matchkeeper.handoff import claimers, game_servers
from matchkeeper.observe import redis_events
from matchkeeper.observe.metrics import Metrics
from tests.conftest import RealServer
from tests.support.harness import outside, serving

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules.yml"
RULES_TEST = ROOT / "deploy/prometheus/rules_test.yml"
DASHBOARD = ROOT / "deploy/grafana/matchkeeper.json"
RUNBOOKS = ROOT / "docs/runbooks"
PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.name != "index.md")

_OF_PROMETHEUS = {"up"}
"""Made by Prometheus itself, for every target."""
_OF_TARGETS = {"job", "instance"}
"""Labels that Prometheus gives to everything it reads."""
_FILTER = re.compile(r"\b(?:and|unless)\s+on\s*\(([^)]*)\)\s+(\w+_\w+)\b(?!\s*[({])")
"""A metric by its name alone, behind `and on (…)` or `unless on (…)`."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="no promtool on this machine (Debian: apt-get install prometheus)",
)


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """The alerts of the rules, by name."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@cache
def panels() -> tuple[dict[str, Any], ...]:
    """The panels of the dashboard that show something."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    return tuple(panel for panel in dashboard["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, expression): everything that is asked of Prometheus."""
    for name, rule in alerts().items():
        yield name, rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in json.loads(DASHBOARD.read_text("utf-8"))["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", "")):
            yield f"${variable['name']}", f"max by ({found[2]}) ({found[1]})"


def metrics_in(expression: str) -> dict[str, set[str]]:
    """Metric -> labels that are asked of it, by its selector or around it."""
    found: dict[str, set[str]] = {}
    # What only filters is asked for the labels that it is matched on, and for nothing around it.
    filters = _FILTER.findall(expression)
    expression = _FILTER.sub(r"on (\1)", expression)
    for name, _, selector in re.findall(r"\b([a-z]+(_\w+)+|up)\b({[^}]*})?", _bare(expression)):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", selector))
    around = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    for labels in found.values():
        labels.update(label.strip() for group in around for label in group.split(","))
    for group, name in filters:
        found.setdefault(name, set()).update(label.strip() for label in group.split(","))
    return found


def _bare(expression: str) -> str:
    """Without texts, groupings, functions and ranges: what is left of names are metrics."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\b\w+\s*\(", "(", bare)
    return re.sub(r"\[[^\]]*\]", "", bare)


def told(exposition: str) -> set[str]:
    """The names that the server's page gives, as Prometheus stores them."""
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names.update(f"{name}{suffix}" for suffix in suffixes)
    return names


def labels_by_name() -> Mapping[str, set[str]]:
    """Labels of each documented metric, histograms by their three series."""
    known: dict[str, set[str]] = {}
    for doc in Metrics().documentation():
        if doc.kind == "histogram":
            known[f"{doc.name}_bucket"] = {*doc.labels, "le"}
            known[f"{doc.name}_sum"] = known[f"{doc.name}_count"] = set(doc.labels)
        else:
            known[doc.name] = set(doc.labels)
    return known


def test_the_reader_of_expressions_finds_names_and_labels() -> None:
    text = 'sum by (le, m) (rate(a_bucket{x="q_r", y!~"z"}[5m])) > 0.1 * b_total or 0 * up{job="j"}'
    assert metrics_in(text) == {
        "a_bucket": {"x", "y", "le", "m"}, "b_total": {"le", "m"}, "up": {"job", "le", "m"},
    }  # fmt: skip
    text = "max by (m) (a_b and on (job) a_ready == 1) and on (m) max by (m) (b_c)"
    assert metrics_in(text) == {"a_b": {"job", "m"}, "b_c": {"job", "m"}, "a_ready": {"job"}}


@pytest.mark.skipif(sys.platform != "linux", reason="figures of the process are told on Linux only")
async def test_every_metric_and_label_that_is_asked_for_is_told(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for player in ("p1", "p2"):
                await wire.enqueue(player)
            await wire.enqueue("p3", "Chess")
            await wire.is_told("p2", "MatchFound")
            await wire.is_told("p3", "Error invalid_game_mode")
        page = (await server.get("/metrics")).text
    names, labels = told(page), labels_by_name()
    for series, found in re.findall(r"^(matchkeeper_\w+?){(.*)} ", page, re.MULTILINE):
        if not series.endswith("_created"):
            assert set(re.findall(r'(\w+)="', found)) == labels[series], series
    for place, expression in expressions():
        asked = metrics_in(expression)
        assert asked, f"{place}: no metric in {expression}"
        for name, wanted in asked.items():
            assert name in names | _OF_PROMETHEUS, f"{place}: no metric {name}"
            unknown = wanted - labels.get(name, set()) - _OF_TARGETS
            assert not unknown, f"{place}: {name} has no {unknown}"


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_says_what_it_means_and_has_its_page(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook"} == set(rule["annotations"])
    words = re.findall(r"[A-Z][a-z]+", name.removeprefix("Matchkeeper"))
    page = f"docs/runbooks/{'-'.join(words).lower()}.md"
    assert rule["annotations"]["runbook"] == page
    text = (ROOT / page).read_text("utf-8")
    assert f"`{name}`, {rule['labels']['severity']}:" in text
    index = (RUNBOOKS / "index.md").read_text("utf-8")
    assert f"| [{name}]({Path(page).name}) | {rule['labels']['severity']} |" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_belongs_to_an_alert_and_has_its_parts(page: Path) -> None:
    assert f"docs/runbooks/{page.name}" in {
        rule["annotations"]["runbook"] for rule in alerts().values()
    }
    assert re.findall(r"^## (.*)$", page.read_text("utf-8"), re.MULTILINE) == [
        "What players feel", "Confirm", "What to do", "When to wake somebody",
    ]  # fmt: skip


@pytest.mark.parametrize("sender", [claimers, game_servers, redis_events])
def test_the_page_of_an_alert_that_the_server_sends_names_it(sender: ModuleType) -> None:
    outage = sender.OUTAGE
    assert f"`{outage.name}`" in (ROOT / outage.runbook).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for line in re.findall(r"^matchkeeper (.*)$", text, re.MULTILINE):
        words = line.split()
        command: Any = typer.main.get_command(app)
        while commands := getattr(command, "commands", None):
            assert words[0] in commands, line
            command = commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_what_a_page_asks_the_server_is_there(
    page: Path, valkey: RealServer, tmp_path: Path
) -> None:
    text = page.read_text("utf-8")
    asked = re.findall(r"^curl (?:-s )?\$SERVER(/\S+)", text, re.MULTILINE)
    names = {name for found in re.findall(r"grep -E '(.*)'", text) for name in found.split("|")}
    assert names <= {doc.name.removeprefix("matchkeeper_") for doc in Metrics().documentation()} | {
        "process_cpu_seconds_total", "process_resident_memory_bytes",
    }  # fmt: skip
    if asked:
        with serving(valkey.url, tmp_path) as server:
            await server.ready()
            for path in asked:
                assert (await server.get(path)).status_code == 200, path


def test_the_dashboard_fits_together() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    everything = dashboard["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, f"{panel['title']} lies over another"
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource", "job", "mode"}
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            used = set().union(*metrics_in(target["expr"]).values())
            assert legend <= used | _OF_TARGETS, panel["title"]
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables | {"__rate_interval"}


def test_every_histogram_has_a_panel() -> None:
    """Its buckets say nothing to people; a panel makes seconds of them."""
    shown = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in metrics_in(target["expr"])
    }
    for doc in Metrics().documentation():
        if doc.kind == "histogram":
            assert f"{doc.name}_bucket" in shown, doc.name


def test_every_alert_is_tested_to_fire() -> None:
    fired = {
        case["alertname"]
        for test in yaml.safe_load(RULES_TEST.read_text("utf-8"))["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert fired == set(alerts())


def promtool(*arguments: str) -> None:
    """Runs it; fails with what it says."""
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_rules_and_configuration_are_valid() -> None:
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))


@needs_promtool
def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", str(RULES_TEST))


@needs_promtool
def test_what_the_panels_ask_can_be_read(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    promtool("check", "rules", str(file))
