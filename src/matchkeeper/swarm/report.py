"""The report: one HTML file that needs nothing else. Built as a tree, so all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element, SubElement, tostring

from matchkeeper.swarm import plots
from matchkeeper.swarm.plots import Line
from matchkeeper.swarm.summary import Moment, Summary, Times
from matchkeeper.swarm.tally import percent

# No script, no font, no picture from anywhere: a browser is told to load nothing at all.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_COLOURS = 6
"""Of lines in one plot."""


def html(found: Summary) -> str:
    """The whole page."""
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width"})
    _text(head, "title", f"Matchkeeper swarm {found.run}")
    _text(head, "style", (files(__package__) / "report.css").read_text("utf-8"))
    main = SubElement(SubElement(page, "body"), "main")
    _head(main, found)
    _tiles(main, found)
    _checks(main, found)
    _plots(main, found)
    _behaviours(main, found)
    _invariants(main, found)
    pair = SubElement(main, "div", {"class": "pair"})
    _errors(pair, found)
    _accounts(pair, found)
    _pods(main, found)
    _setup(main, found)
    text = tostring(page, encoding="unicode", method="html")
    # Lone surrogates of strangers cannot be written as UTF-8.
    return "<!doctype html>\n" + text.encode("utf-8", "backslashreplace").decode() + "\n"


def _head(main: Element, found: Summary) -> None:
    _text(main, "h1", "Matchkeeper swarm")
    about = f"Run {found.run} against {found.redis}, {found.begun}, {found.seconds:.1f} s"
    _text(main, "p", about, "dim")
    broken = [each for each in found.invariants if each.broken]
    missed = [each for each in found.checks if not each.met]
    if found.good:
        sentence = "All invariants held" + (
            " and all thresholds were met." if found.checks else "."
        )
    else:
        parts = [f"{each.name}: {each.found}, {each.limit} wanted" for each in missed]
        parts += [f"broken {each.broken} times: {each.sentence}" for each in broken]
        sentence = " · ".join(parts)
    if found.interrupted:
        sentence += " The run was stopped early: this is what was seen until then."
    _text(main, "div", sentence, f"verdict {'good' if found.good else 'bad'}")


def _tiles(main: Element, found: Summary) -> None:
    tiles = SubElement(main, "div", {"class": "tiles"})
    success = "-" if found.success is None else percent(found.success)
    for value, name in (
        (success, f"success: {found.right} of {found.judged} players"),
        (plots.seconds(found.waits.p50), "half were matched within"),
        (plots.seconds(found.waits.p95), "95 % were matched within"),
        (plots.seconds(found.answers.p95), "95 % were answered within"),
        (str(sum(found.errors.values())), "errors that nobody asked for"),
        (str(sum(each.broken for each in found.invariants)), "broken invariants"),
    ):
        tile = SubElement(tiles, "div", {"class": "tile"})
        _text(tile, "b", value)
        _text(tile, "span", name)


def _checks(main: Element, found: Summary) -> None:
    section = _section(main, "Thresholds")
    if not found.checks:
        _text(section, "p", "None were set.", "dim")
        return
    rows = [
        (each.name, each.limit, each.found, _Cell("met", "good") if each.met else _MISSED)
        for each in found.checks
    ]
    _table(section, ("threshold", "wanted", "found", ""), rows)


def _plots(main: Element, found: Summary) -> None:
    if not found.timeline:
        return
    rates, waits = _rates(found.timeline), _waits(found.timeline)
    _figure(
        _section(main, "Players over time"),
        plots.lines("Players a second", rates, x_label="seconds", y_label="a second"),
        rates,
    )
    pair = SubElement(main, "div", {"class": "pair"})
    _figure(
        _section(pair, "Who waits"),
        plots.lines(
            "Players waiting",
            _waiting(found.timeline),
            x_label="seconds",
            y_label="players",
            width=plots.NARROW,
        ),
        (),
        "Told EnQueued and nothing since; the most in each stretch of time.",
    )
    _figure(
        _section(pair, "Waits over time"),
        plots.lines(
            "Waits of those matched then",
            waits,
            x_label="seconds",
            y_label="seconds waited",
            width=plots.NARROW,
        ),
        waits,
    )
    _wait_bars(main, found)
    if found.parties:
        _parties(main, found)


def _wait_bars(main: Element, found: Summary) -> None:
    known = found.waits
    within = ", ".join(
        f"{share} within {plots.seconds(value)}"
        for share, value in (("half", known.p50), ("95 %", known.p95), ("99 %", known.p99))
    )
    _figure(
        _section(main, "How long players waited"),
        plots.bars(
            "Waits of matched players",
            found.wait_bars,
            x_label="waited up to, on a logarithmic scale",
            y_label="players",
        ),
        (),
        f"From the request to MatchFound: {known.count} players, {within}, the longest "
        f"{plots.seconds(known.longest)}.",
    )


def _parties(main: Element, found: Summary) -> None:
    matched = [each for each in found.parties if each.waits.count]
    curves = [
        Line(
            name=plots.together(each.together),
            colour=f"c{number}",
            points=[(seconds, 100 * share) for seconds, share in each.shares],
        )
        for number, each in enumerate(matched[:_COLOURS], 1)
    ]
    section = _section(main, "How long players waited, by how many came together")
    _figure(
        section,
        plots.lines(
            "Waits by party size", curves, x_label="seconds waited at most", y_label="% of players"
        ),
        curves,
    )
    rows = [
        (
            _Cell(plots.together(each.together), "name"),
            each.players,
            each.waits.count,
            *map(plots.seconds, _quantiles(each.waits)),
        )
        for each in found.parties
    ]
    heads = ("players who came", "asked", "matched", "half within", "95 %", "99 %", "longest")
    _table(section, heads, rows)


def _quantiles(waits: Times) -> tuple[float | None, ...]:
    return waits.p50, waits.p95, waits.p99, waits.longest


def _rates(timeline: Sequence[Moment]) -> list[Line]:
    curves = (("asked", "c1"), ("queued", "c3"), ("matched", "c2"), ("wrong", "c4"))
    return [
        Line(
            name=name,
            colour=colour,
            points=[(each.at, getattr(each, name) / each.seconds) for each in timeline],
        )
        for name, colour in curves
    ]


def _waiting(timeline: Sequence[Moment]) -> list[Line]:
    points = [(each.at, each.waiting) for each in timeline]
    return [Line(name="waiting", colour="c1", points=points, filled=True)]


def _waits(timeline: Sequence[Moment]) -> list[Line]:
    return [
        Line(name="half within", colour="c1", points=[(x.at, x.p50_wait) for x in timeline]),
        Line(name="95 % within", colour="c3", points=[(x.at, x.p95_wait) for x in timeline]),
    ]


def _figure(parent: Element, plot: Element, key: Sequence[Line], caption: str = "") -> None:
    figure = SubElement(parent, "figure")
    figure.append(plot)
    below = SubElement(figure, "figcaption")
    for curve in key:
        _text(below, "span", curve.name, f"key {curve.colour}")
    if caption:
        _text(below, "span", caption)


def _behaviours(main: Element, found: Summary) -> None:
    rows = [
        (
            _Cell(each.behaviour, "name"),
            each.does,
            each.right_is,
            each.players,
            each.right,
            _Cell(_counts(each.wrong), "bad") if each.wrong else "-",
            _counts(each.not_judged) or "-",
        )
        for each in found.behaviours
    ]
    heads = ("behaviour", "the player", "right is", "players", "right", "wrong", "not judged")
    _table(_section(main, "Players by behaviour"), heads, rows)


def _invariants(main: Element, found: Summary) -> None:
    section = _section(main, "Invariants")
    rows: list[Sequence[object]] = []
    for each in found.invariants:
        verdict = _Cell("held", "good") if each.checked else _Cell("nothing to check", "dim")
        if each.broken:
            verdict = _Cell(f"broken {each.broken} times", "bad")
        rows.append((each.sentence, each.checked, verdict))
    _table(section, ("what must hold", "cases", ""), rows)
    for each in found.invariants:
        for example in each.examples:
            _text(section, "div", example, "example bad")


def _errors(main: Element, found: Summary) -> None:
    section = _section(main, "Errors")
    rows: list[Sequence[object]] = [
        (_Cell(kind, "bad"), "not asked for", count) for kind, count in found.errors.items()
    ]
    rows += [(kind, "as it should be", count) for kind, count in found.expected_errors.items()]
    if rows:
        _table(section, ("kind", "", "players"), rows)
    else:
        _text(section, "p", "None.", "dim")


def _accounts(main: Element, found: Summary) -> None:
    section = _section(main, "What became of the players who were queued")
    rows: list[Sequence[object]] = list(found.accounts.items())
    if rows:
        _table(section, ("they are", "players"), rows)
    else:
        _text(section, "p", "Nobody was told EnQueued.", "dim")


def _pods(main: Element, found: Summary) -> None:
    section = _section(main, "Game servers")
    if found.pods:
        rows = [(_Cell(x.behaviour, "name"), x.does, x.right_is, x.pods) for x in found.pods]
        _table(section, ("behaviour", "a game server", "right is", "servers"), rows)
    if found.pods_saw:
        _table(section, ("what they saw and did", "times"), list(found.pods_saw.items()))
    if not found.pods:
        _text(section, "p", "None were simulated: only those that are there.", "dim")


def _setup(main: Element, found: Summary) -> None:
    pair = SubElement(main, "div", {"class": "pair"})
    rows: list[Sequence[object]] = list(found.options.items())
    _table(_section(pair, "What was run"), ("option", ""), rows)
    section = _section(pair, "To know")
    notes = SubElement(section, "ul")
    for note in found.notes:
        _text(notes, "li", note)
    _text(notes, "li", f"Matchkeeper {found.version}.")


class _Cell:
    """Text with a class of the page's style."""

    def __init__(self, text: str, style: str) -> None:
        self.text = text
        self.style = style


_MISSED = _Cell("missed", "bad")


def _table(parent: Element, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = SubElement(parent, "table")
    head = SubElement(table, "tr")
    numbers = [bool(rows) and isinstance(cell, int) for cell in rows[0]] if rows else []
    for name, number in zip(heads, numbers, strict=True) if rows else ():
        _text(head, "th", name, "number" if number else "")
    for row in rows:
        line = SubElement(table, "tr")
        for cell in row:
            if isinstance(cell, _Cell):
                _text(line, "td", cell.text, cell.style)
            else:
                _text(line, "td", str(cell), "number" if isinstance(cell, int) else "")


def _section(parent: Element, title: str) -> Element:
    section = SubElement(parent, "section")
    _text(section, "h2", title)
    return section


def _text(parent: Element, tag: str, text: str, style: str = "") -> Element:
    child = SubElement(parent, tag, {"class": style} if style else {})
    child.text = text
    return child


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
