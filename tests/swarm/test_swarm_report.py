"""The report of the swarm: whole, alone in its file, and safe with text of strangers."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from rich.console import Console

from crowd.behaviours import Behaviour, PodBehaviour
from crowd.mix import Mix
from crowd.people import CrowdOptions, Pace
from matchkeeper.cli import swarm_run
from matchkeeper.swarm import plots
from matchkeeper.swarm.report import html
from matchkeeper.swarm.summary import Summary, as_json, summary
from matchkeeper.swarm.tally import Invariant, Tally, Thresholds, Whereabouts
from matchkeeper.swarm.world import SwarmOptions

EVIL = "<script>alert(1)</script><img src=//evil.example.org>\"'&\x1b[31m\ud800"


def made(tally: Tally, *, pods: int = 2, **changes: object) -> Summary:
    options = SwarmOptions(
        players=10,
        crowd=CrowdOptions(
            pace=Pace(rate=5, ramp_seconds=2),
            behaviours=Mix(((Behaviour.NORMAL, 1.0),)),
            modes=Mix(((EVIL, 1.0),)),
        ),
        pod_mix=Mix(((PodBehaviour.CLAIMS, 1.0),)),
        pods=pods,
    )
    given: dict[str, object] = {
        "run": "swarm-1",
        "redis": "redis://localhost",
        "begun": "2026-01-01",
        "seconds": 3.0,
        "interrupted": False,
        "asked": 10,
        "remaining": 0,
        "behind_seconds": 0.0,
    }
    return summary(
        tally,
        options,
        Thresholds(min_success=0.5, max_errors=0),
        **{**given, **changes},  # type: ignore[arg-type]
    )


def busy() -> Tally:
    """A run in which everything happened."""
    tally = Tally()
    tally.ends[Behaviour.NORMAL].right = 7
    tally.ends[Behaviour.NORMAL].wrong[EVIL] = 1
    tally.errors[EVIL] = 1
    tally.accounts[Whereabouts.MATCHED] = 7
    tally.pods[f"claims refused: {EVIL}"] = 3
    tally.pods["matches with others"] = 2
    tally.violated(Invariant.ONE_MATCH, f"{EVIL}: matched in a, b")
    tally.gaps, tally.foreign = 1, 4
    for second in range(20):
        slot = tally.timeline.at(second)
        slot.counts.update(asked=5, queued=4, matched=second % 3)
        slot.waiting = second
        if second % 4:
            slot.waits.add(second / 10)
            tally.waits.add(second / 10)
    return tally


class Page(HTMLParser):
    """All tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("tally", [busy(), Tally()], ids=["busy", "empty"])
def test_the_report_opens_nothing_from_elsewhere(tally: Tally) -> None:
    text = html(made(tally))
    page = Page(text)
    opening = {"script", "img", "link", "iframe", "object", "embed", "audio", "video", "base"}
    assert opening.isdisjoint(tag for tag, _ in page.tags)
    for _, attributes in page.tags:
        names = attributes.keys()
        assert names.isdisjoint({"src", "href", "srcset", "data", "style", "action", "xlink:href"})
        assert not any(name.startswith("on") for name in names)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_text_of_strangers_is_text() -> None:
    text = html(made(busy()))
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    text.encode("utf-8")


def test_light_and_dark() -> None:
    text = html(made(busy()))
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme: light dark" in text


def test_the_report_shows_the_verdict_the_plots_and_what_was_not_observable() -> None:
    found = made(busy(), remaining=3, behind_seconds=2.0, interrupted=True)
    text = html(found)
    assert not found.good
    for part in (
        "errors: 1, ≤ 0 wanted",
        "No player is in two started matches.",
        "stopped early",
        "lost 1 times",
        "2 matches had players who are not of this run",
        "4 answers were for players who are not of this run",
        "up to 2.0 s late",
        "3 players may still be in the queue",
        "only claimed_by in MatchFound is observable",
    ):
        assert part in text, part
    assert text.count("<svg") == 4
    assert "broken 1 times" in text
    assert "not observable" in html(made(Tally(), pods=0))


def together() -> Tally:
    tally = Tally()
    tally.asked_by_size.update({1: 20, 5: 10, 3: 3})
    for size, waits in ((1, range(1, 21)), (5, [2] * 10)):
        for seconds in waits:
            tally.waits_by_size[size].add(float(seconds))
            tally.waits.add(float(seconds))
    tally.timeline.at(1.0).counts["asked"] = 33
    return tally


def test_waits_are_shown_by_how_many_came_together() -> None:
    found = made(together())
    rows = [(each.together, each.players, each.waits.count) for each in found.parties]
    assert rows == [(1, 20, 20), (3, 3, 0), (5, 10, 10)]
    alone, none, fives = (each.shares for each in found.parties)
    assert (alone[0], alone[-1]) == ((0.0, 0.0), (20.0, 1.0))
    assert none == [(0.0, 0.0)]
    assert fives == [(0.0, 0.0), (2.0, 1.0)]
    text = html(found)
    assert text.count("<svg") == 5
    assert "how many came together" in text
    for name in ("alone", "in parties of 3", "in parties of 5"):
        assert f">{name}</td>" in text
    assert ">in parties of 3</span>" not in text, "nobody of them was matched: no line"
    assert made(busy()).parties == []
    assert "how many came together" not in html(made(busy()))


def test_the_json_is_all_of_it_and_can_be_read_back() -> None:
    plain = json.loads(as_json(made(busy())).encode("ascii"))
    assert plain["format"] == 1
    assert plain["waits"]["count"] == 15
    assert {each["name"] for each in plain["invariants"]} == set(Invariant)
    assert plain["errors"] == {EVIL: 1}
    assert len(plain["timeline"]) > 10


def test_the_table_shows_strangers_no_escape_sequences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(swarm_run, "out", Console(width=200, markup=False, highlight=False))
    swarm_run.show(made(busy()))
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "broken 1 times" in shown
    assert "✗ errors: 1" in shown
    assert "in parties" not in shown
    swarm_run.show(made(together()))
    assert "in parties of 5" in capsys.readouterr().out


@pytest.mark.parametrize("top", [0.0, 0.0004, 1, 9.99, 10, 17, 999.9999, 12345.6])
def test_plots_of_any_size_stay_in_their_frame(top: float) -> None:
    points = [(0.0, 0.0), (1.0, None), (2.0, top), (3.5, top / 3)]
    line = plots.Line(name="x", colour="c1", points=points, filled=True)
    for width in (plots.WIDE, plots.NARROW):
        svg = plots.lines("n", [line], x_label="s", y_label="y", width=width)
        inside(svg, width)
    count = max(1, int(top))
    bars = [(0.1 * n, 0.1 * (n + 1), count // (n + 1)) for n in range(30)]
    inside(plots.bars("n", bars, x_label="s", y_label="y"), plots.WIDE)


def inside(svg: ET.Element, width: int) -> None:
    for shape in svg.iter():
        for pair in shape.get("points", "").split():
            x, y = (float(part) for part in pair.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= 230
        if shape.tag == "rect":
            assert float(shape.get("x", "")) + float(shape.get("width", "")) <= width
            assert float(shape.get("height", "")) >= 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0123, "12 ms"), (0.9999, "1 s"), (1.234, "1.23 s"), (75.0, "75 s")],
)
def test_durations_for_people(value: float | None, text: str) -> None:
    assert plots.seconds(value) == text
