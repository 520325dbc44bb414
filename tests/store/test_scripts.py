"""What a script is declared to be, and what its file says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys, scripts
from matchkeeper.store.asked import Reply, dequeue, enqueue
from matchkeeper.store.committing import CommitReply, commit
from matchkeeper.store.handoffs import handoff, settle
from matchkeeper.store.hearing import MoveReply, hear_move
from matchkeeper.store.scripts import Script, Unsent, each, script
from matchkeeper.wire.handed import HandoffReply

FOLDER = Path(scripts.__file__).parent / "lua"


def test_every_file_names_its_declaration() -> None:
    assert [each.name for each in scripts.every()] == sorted(
        path.stem for path in FOLDER.glob("*.lua")
    )


def test_nobody_counts_keys_and_arguments() -> None:
    for path in FOLDER.rglob("*.lua"):
        assert not re.search(r"#?(KEYS|ARGV)\[\d|#(KEYS|ARGV)", path.read_text()), path.name


@pytest.mark.parametrize("script", scripts.every(), ids=lambda script: str(script.name))
def test_no_local_hides_what_is_declared(script: Script[..., Any]) -> None:
    found = re.findall(r"^ *local ([\w, ]+?)(?: =|$)", script.source, re.MULTILINE)
    names = [name for line in found for name in line.split(", ")]
    declared = re.findall(
        r"^local (\w+) = (?:KEYS|ARGV|tonumber\(ARGV|\d+ --|\w+ \+ \w+_count)",
        script.source,
        re.MULTILINE,
    )
    assert [name for name in declared if names.count(name) > 1] == []


_HANDOFF = set(HandoffReply) - {HandoffReply.NOT_DURABLE}  # which scripts cannot know


@pytest.mark.parametrize(
    ("codes", "given"),
    [
        (_HANDOFF, (handoff, settle)),
        (Reply, (enqueue, dequeue)),
        (CommitReply, (commit,)),
        (MoveReply, (hear_move,)),
    ],
)
def test_replies_are_those_that_the_headers_explain(
    codes: Iterable[StrEnum], given: Sequence[Script[..., Any]]
) -> None:
    explained = set[str]()
    for one in given:
        text = (FOLDER / f"{one.name}.lua").read_text()
        header = text.partition("-- REPLY")[2].partition("-- AGAIN")[0]
        explained.update(word for word in re.findall(r"\w+", header) if word in set(codes))
        assert explained
    assert explained == set(codes)


class Match(NamedTuple):
    match_id: str
    pair: tuple[int, int]


@script(
    int,
    each("matches", match=keys.match),
    each("players", last_match=keys.last_match),
    pods=keys.pods,
    sent=partial(keys.alert, part="sent"),
)
def sample(
    *,
    queue: Unsent[QueueName],
    name: Unsent[str],
    first: float,
    matches: Sequence[Match],
    players: Unsent[Sequence[str]],
    words: Sequence[str] = (),
    count: int = 7,
) -> None:
    """What a script may take."""


def test_a_call_is_laid_out_as_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "sha", "sha")
    call = sample(
        queue=QueueName(mode="duel"),
        name="x",
        first=0.5,
        matches=[Match("a", (1, 2)), Match("b", (3, 4))],
        players=["p"],
        words=["one", "two"],
    )
    packed = [scripts.pack((1, 2)), scripts.pack((3, 4))]
    assert call.command == (
        *("EVALSHA", "sha", 5),
        *(b"pods", b"alert:{x}:sent", b"match:{duel}:a", b"match:{duel}:b", b"latest:{}:p"),
        *(0.5, 7, 2, 1, 2, b"a", b"b", *packed, b"one", b"two"),
    )
    assert call.script.reads("3") == 3


def test_an_empty_call_has_no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "sha", "sha")
    call = sample(queue=QueueName(mode="duel"), name="x", first=1, matches=[], players=[])
    assert call.command == ("EVALSHA", "sha", 2, b"pods", b"alert:{x}:sent", 1, 7, 0, 0, 0)
