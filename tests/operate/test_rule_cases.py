"""The examples of rules keep what their cases say; and a case that is not so is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchkeeper.domain.mode import GameMode
from matchkeeper.errors import ConfigError
from matchkeeper.operate.rule_cases import Case, TicketOfCase, outcome, read_cases
from tests.support.ruled import EXAMPLES, example

NAMES = sorted(each.name.removesuffix(".cases.toml") for each in EXAMPLES.glob("*.cases.toml"))
CASES = [(name, case) for name in NAMES for case in read_cases(EXAMPLES / f"{name}.cases.toml")]


def test_every_example_has_cases() -> None:
    modes = {each.stem for each in EXAMPLES.glob("*.toml") if ".cases" not in each.name}
    assert modes == set(NAMES)
    assert len(NAMES) == 13


@pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}: {case.name}" for name, case in CASES]
)
def test_an_example_keeps_its_cases(name: str, case: Case) -> None:
    assert outcome(case, example(name)).wrong == ()


def test_what_is_not_so_is_told() -> None:
    mode = example("duel")
    metadata = {"map": "a", "mode": "b", "character": "c"}
    two = (TicketOfCase(id="p", count=2),)
    wrong = outcome(
        Case(name="", metadata=metadata, tickets=two, matched=("p",), matches=1), mode
    ).wrong
    assert wrong == (
        "0 matches are made, expected are 1",
        "p_1, p_2 waits on, and must be matched",
    )
    late = (TicketOfCase(id="p", count=2, waited=60),)
    wrong = outcome(
        Case(name="", metadata=metadata, tickets=late, unmatched=("p_2",), teams={"x": ("p_1",)}),
        mode,
    ).wrong
    assert wrong == ("p_2 is matched, and must wait", "p_1 is on team_1, expected is x")
    wrong = outcome(Case(name="", tickets=(TicketOfCase(id="p"),)), mode).wrong
    assert wrong == ("p is refused: missing_attribute",)
    refused = {"p": "never_matched"}
    wrong = outcome(Case(name="", tickets=(TicketOfCase(id="p"),), refused=refused), mode).wrong
    assert wrong == ("p is refused: missing_attribute; expected is never_matched",)


def test_an_expectation_that_would_hold_whatever_happens_is_told() -> None:
    mode = example("duel")
    metadata = {"map": "a", "mode": "b", "character": "c"}
    wrong = outcome(
        Case(
            name="",
            metadata=metadata,
            tickets=(TicketOfCase(id="p", count=2), TicketOfCase(id="p_2")),
            matched=("q",),
            unmatched=("p", "r"),
            roles={"q": "tank"},
            teams={"team_1": ("p_1",)},
        ),
        mode,
    ).wrong
    assert wrong == (
        "p_2 is there 2 times",
        "q is no player of the case",
        "r is no player of the case",
        "p_1 is in no match, and must have a role or a team",
        "q is in no match, and must have a role or a team",
    )


def test_a_match_without_rules_has_no_places() -> None:
    mode = GameMode(name="A", required_players=2, teams=2, rating=None)
    tickets = (TicketOfCase(id="p", count=2),)
    wrong = outcome(Case(name="", tickets=tickets, teams={"red": ("p_1",)}), mode).wrong
    assert wrong == ("a match of a mode without rules has no roles, named teams or region",)


@pytest.mark.parametrize(
    "text",
    [
        "[[cases]]\nname = 'x'\ntickets = [{ id = 'a', count = 0 }]",
        "[[cases]]\nname = 'x'\ntickets = [{ id = 'a', waited = -1 }]",
        "[[cases]]\nname = 'x'\ntickets = [{ id = 'a', waited = nan }]",
        "cases = 5",
        "[[cases]]\nname = 'x'",
        "not toml",
        "[[cases]]\nname = 'x'\ntickets = [{}]",
    ],
)
def test_a_file_that_has_no_cases(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is no file of cases"):
        read_cases(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cases(tmp_path / "none.toml")


def test_the_case_of_the_docs_is_so(tmp_path: Path) -> None:
    page = (EXAMPLES.parents[1] / "docs/rules.md").read_text("utf-8")
    shown = tmp_path / "shown.cases.toml"
    shown.write_text("[[cases]]" + page.partition("[[cases]]")[2].partition("```")[0], "utf-8")
    (case,) = read_cases(shown)
    assert outcome(case, example("ranked-5v5")).wrong == ()
