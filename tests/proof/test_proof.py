"""The proof itself: its parts do what they say, and its commands run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd.history import Event, What
from crowd.wire import packed
from matchkeeper.store.committing import commit
from matchkeeper.store.handoffs import handoff
from proof.chaos.faults import Blow, Kind
from proof.chaos.frames import Splitter, command_name
from proof.chaos.recovery import recoveries
from proof.chaos.valkey import are_whole
from proof.durability import power
from proof.mutants.catalogue import MUTANTS
from proof.mutants.mutant import ROOT, Mutant

REPLIES = (
    b"+OK\r\n", b":12\r\n", b"-ERR no\r\n", b"$-1\r\n", b"*-1\r\n", b"$0\r\n\r\n",
    b"$5\r\na\r\nb\n\r\n", b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", b"%1\r\n+a\r\n*0\r\n",
    b">3\r\n+message\r\n+c\r\n$2\r\n\r\n\r\n",
)  # fmt: skip


needs_source = pytest.mark.skipif(
    not (ROOT / "src").exists(), reason="a wheel is tested: there is no source to put bugs into"
)


def run(*arguments: str, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """One of the proof's commands."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@given(st.lists(st.sampled_from(REPLIES)), st.data())
def test_frames_are_cut_where_they_end(frames: list[bytes], data: st.DataObject) -> None:
    text, splitter, found = b"".join(frames), Splitter(), []
    while text:
        size = data.draw(st.integers(1, len(text)))
        found += splitter.feed(text[:size])
        text = text[size:]
    assert found == frames
    assert splitter.rest() == b""


def test_commands_are_known_by_what_they_do() -> None:
    assert command_name(packed("EVALSHA", commit.sha, 0)) == "commit"
    assert command_name(packed("EVAL", handoff.source, 0)) == "handoff"
    assert command_name(packed("eval", "return 1", 0)) == "?"
    assert command_name(packed("xreadgroup", "GROUP")) == "XREADGROUP"


@pytest.mark.parametrize(
    ("commands", "whole"),
    [
        ((), True),
        ((packed("SET", "a", "b"), packed("DEL", "a")), True),
        ((packed("SET", "a", "b")[:-3],), False),
        ((packed("SET", "a", "b"), b"*3\r\n$3\r\nSE"), False),
        ((packed("MULTI"), packed("SET", "a", "b")), False),
    ],
)
def test_a_tail_that_a_kill_has_torn_is_known(commands: tuple[bytes, ...], whole: bool) -> None:
    assert are_whole(b"".join(commands)) is whole


def test_recovery_is_counted_to_the_first_start_of_a_match_made_afterwards() -> None:
    events = [
        Event(at=at, what=what, match=match)
        for at, what, match in (
            (1.0, What.OFFERED, "early"),
            (3.0, What.OFFERED, "slow"),
            (4.0, What.STARTED, "early"),
            (5.0, What.OFFERED, "quick"),
            (6.0, What.STARTED, "quick"),
            (9.0, What.STARTED, "slow"),
        )
    ]
    calm = Blow(kind=Kind.CUT, at=1.5, back_at=2.0, then_calm=True)
    busy = Blow(kind=Kind.RESET, at=1.5, back_at=2.0)
    assert recoveries(events, [calm, busy]) == {Kind.CUT: [4.0]}


@needs_source
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: str(mutant.name))
def test_every_deliberate_bug_still_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    for edit in mutant.edits:
        edit.apply(tmp_path)  # raises where it does not


@needs_source
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_deliberate_bug_is_caught_and_says_by_what() -> None:
    done = run(
        "proof.mutants", "--only", "commit_forgets_pending", "--run", "simulation", seconds=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "simulation: caught" in done.stdout
    assert "is pending in one list and not in the other" in done.stdout


def test_a_loss_of_power_takes_what_was_not_synced(tmp_path: Path) -> None:
    kept, cut, fresh = (tmp_path / f"{name}.aof" for name in ("kept", "cut", "fresh"))
    for path in (kept, cut, fresh):
        path.write_bytes(b"x" * 100)
    log = tmp_path / "synced"
    log.write_text(f"{kept.stat().st_ino} 100\n{cut.stat().st_ino} 60\n{cut.stat().st_ino} 40\n")
    assert power.cut_back(tmp_path, log) == 140
    assert [path.stat().st_size for path in (kept, cut, fresh)] == [100, 60, 0]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_chaos_finds_nothing() -> None:
    done = run("proof.chaos", "--minutes", "0.3", seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "socket.send()" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_with_fsync_a_crash_of_redis_loses_nobody() -> None:
    done = run("proof.durability", "--setting", "fsync", "--crashes", "1", seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fuzzers_find_nothing() -> None:
    done = run("proof.fuzz", "--target", "wire", "--target", "config", "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")
@pytest.mark.parametrize(
    "bug", ["COMMIT_NO_CHECK", "SETTLE_ANY", "GIVE_BACK_CONFIRMED", "PLACE_IGNORED"]
)
def test_the_models_find_deliberate_bugs(bug: str) -> None:
    done = run("proof.model", "--bug", f"BUG_{bug}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "found: " in done.stdout
