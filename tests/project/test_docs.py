"""The documentation is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from matchkeeper import reference
from matchkeeper.domain.match import seats_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.offers import battle_request, filled_in
from tests.support.tickets import lone, told

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("name", sorted(reference.files()))
def test_what_is_made_is_current(name: str) -> None:
    made = reference.files()[name]
    assert (DOCS / name).read_text("utf-8") == made, "run: python -m matchkeeper.reference docs"


def valid(name: str, payload: bytes | str) -> None:
    jsonschema.validate(json.loads(payload), reference.schemas()[name])


def test_what_the_codec_writes_fits_the_schemas() -> None:
    two = ((lone("p1"),), (lone("p2"),))
    four = ((lone("p1"), lone("p2")), (lone("p3"), lone("p4")))
    mode = GameMode(name="M")
    for teams in (two, four):
        pieces = battle_request(
            seats_of(teams, mode.teams), mode, match_id="m", epoch=1, claim_within_seconds=1
        )
        everybody = ['{"pod_id":"a"}' for team in teams for _ in team]
        valid("battle_request", filled_in(pieces, everybody))
        for _, notice in told(teams, mode):
            valid("answer", notice)
    valid("answer", answers.plain("p1", answers.EXPIRED))
    valid("answer", answers.error("p1", ErrorCode.NOT_IN_QUEUE, "no"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("enqueue_request", {"player_id": "p", "game_mode": "m"}),
        ("enqueue_request", {"player_id": "p", "game_mode": "m", "pod_id": "a", "metadata": 7}),
        ("answer", {"player_id": "p", "result_type": "Enqueued"}),
        ("battle_request", {"game_mode": "m"}),
    ],
)
def test_the_schemas_refuse_what_is_wrong(name: str, message: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        valid(name, json.dumps(message))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
