"""Good game servers keep every point, in every language; each wrong one fails on the right one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from matchkeeper.conformance.evenings import PLANS
from matchkeeper.conformance.points import Point
from matchkeeper.conformance.run import Night, play
from matchkeeper.store.embedded import executable
from tests.conformance.wrong import WAYS
from tests.support import typescript

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
WRONG = str(Path(__file__).with_name("wrong.py"))
PATIENCE = 15.0
"""For what comes in the end: of tests that expect it to come."""
IMPATIENCE = 6.0
"""For what does not come."""
REDIGO = Path("/usr/share/gocode/src/github.com/gomodule/redigo")
HEADERS = ("/usr/include/hiredis/hiredis.h", "/usr/include/nlohmann/json.hpp")


def kept(nights: list[Night]) -> dict[str, bool | None]:
    return {finding.point: finding.kept for night in nights for finding in night.findings}


def seen(nights: list[Night]) -> str:
    """What was seen where a point was not kept."""
    return "\n".join(
        f"{each.point}: {each.why}" for night in nights for each in night.findings if not each.kept
    ) + "\n".join(line for night in nights for line in night.lines)


def in_python(_: Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / "game_server.py")]


def in_bash(_: Path) -> list[str]:
    cli = executable().with_name("valkey-cli")
    return ["env", f"REDIS_CLI={cli}", "bash", str(EXAMPLES / "game_server.sh")]


def in_go(folder: Path) -> list[str]:
    if shutil.which("go") is None or not REDIGO.exists():
        pytest.skip("no Go with redigo here (golang-go, golang-github-gomodule-redigo-dev)")
    made = folder / "game_server"
    built(
        *("go", "build", "-o", str(made), str(EXAMPLES / "game_server.go")),
        GO111MODULE="off",
        GOPATH="/usr/share/gocode",
        GOFLAGS="",
    )
    return [str(made)]


def in_cpp(folder: Path) -> list[str]:
    if shutil.which("g++") is None or not all(Path(header).exists() for header in HEADERS):
        pytest.skip("no C++ with hiredis here (g++, libhiredis-dev, nlohmann-json3-dev)")
    made = folder / "game_server"
    source = str(EXAMPLES / "game_server.cpp")
    built(
        *("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-o", str(made), source), "-lhiredis"
    )
    return [str(made)]


def in_typescript(folder: Path) -> list[str]:
    if why := typescript.missing():
        pytest.skip(why)
    client = folder / "client"
    client.mkdir()
    return ["node", str(typescript.compiled(client) / "dist/examples/game-server.js")]


def built(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("made", [in_python, in_typescript, in_bash, in_go, in_cpp])
async def test_the_examples_keep_every_point(
    made: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    command = made(tmp_path)
    nights = await play(command, tmp_path, patience=PATIENCE)
    assert kept(nights) == dict.fromkeys(Point, True), seen(nights)


BROKEN: Mapping[str, tuple[str, set[Point]]] = {
    "nothing": ("good,end", set()),
    "starts_without_claiming": ("good", {Point.STARTS}),
    "starts_when_claimed": ("good", {Point.STARTS}),
    "starts_when_refused": ("good,race-lost,late-claim", {Point.RACE_LOST, Point.LATE_CLAIM}),
    "ignores_a_refused_confirm": ("good,refused-confirm", {Point.REFUSED_CONFIRM}),
    "ignores_the_epoch": ("good,new-epoch", {Point.NEW_EPOCH}),
    "starts_twice": ("good,twice", {Point.TWICE}),
    "forgets_its_players": ("good,killed", {Point.KEEPS_PLAYERS}),
    "takes_a_new_name": ("good", {Point.LISTENS}),
    "returns_under_a_new_name": ("good,killed", {Point.KEEPS_NAME}),
    "starts_what_it_had_in_hand": ("good,killed-in-hand", {Point.IN_HAND}),
    "misses_what_it_did_not_hear": ("good,cut-off", {Point.CUT_OFF}),
    "wishes_anew": (
        "good,killed-as-it-starts,killed-while-playing",
        {Point.LEARNS, Point.QUEUES_ONCE},
    ),
    "believes_what_it_remembers": (
        "good,killed-as-it-starts,killed-while-playing",
        {Point.LEARNS},
    ),
    "lets_nobody_go": ("good,people", {Point.LEAVES}),
    "hides_refusals": ("good,people", {Point.REFUSED}),
    "asks_only_while_redis_is_there": ("good,redis-gone", {Point.REDIS_GONE}),
    "asks_once_for_the_last_word": ("good,lost-claim,lost-confirm", {Point.CONFIRM_LOST}),
    "reads_strictly": ("good,malformed", {Point.MALFORMED}),
    "knows_every_field": ("good,unknown", {Point.UNKNOWN}),
    "asks_once": ("good,lost-answer,lost-claim", {Point.ANSWER_LOST, Point.CLAIM_LOST}),
    "listens_once": ("good,redis-gone", {Point.COMES_BACK}),
    "tells_nobody": ("good", {Point.TELLS}),
    "drops_the_metadata": ("good", {Point.ASKS}),
    "goes_on_for_ever": ("good,end", {Point.ENDS}),
    "says_no_bye": ("good,end", {Point.BYE}),
}
"""What is wrong -> the evenings that it plays, and what it does not keep."""
GROUPS = [list(BROKEN)[n::6] for n in range(6)]


def test_every_point_can_be_broken() -> None:
    assert set(BROKEN) == set(WAYS)
    assert set().union(*(points for _, points in BROKEN.values())) == set(Point)


@pytest.mark.slow
@pytest.mark.parametrize("ways", GROUPS, ids=lambda ways: ways[0])
async def test_a_wrong_one_fails_on_the_right_point_and_on_no_other(
    ways: list[str], tmp_path: Path
) -> None:
    """Some at once, each in a world of its own: most of the time they wait."""

    async def tried(way: str) -> list[Night]:
        folder = tmp_path / way
        folder.mkdir()
        command = [sys.executable, WRONG, way, str(folder)]
        only = BROKEN[way][0].split(",")
        return await play(command, folder, only=only, patience=IMPATIENCE)

    every = dict(zip(ways, await asyncio.gather(*map(tried, ways)), strict=True))
    for way, nights in every.items():
        found = {point for point, held in kept(nights).items() if held is False}
        assert found == BROKEN[way][1], f"{way}\n{seen(nights)}"


async def test_what_the_judge_says_stands_with_the_point(tmp_path: Path) -> None:
    command = [sys.executable, WRONG, "starts_without_claiming"]
    nights = await play(command, tmp_path, only=["good"], patience=IMPATIENCE)
    (why,) = [each.why for each in nights[0].findings if each.point is Point.STARTS]
    assert "was not told `started`" in why
    assert "without a claim" in why, "this is the judge's"


def conformance(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matchkeeper", "conformance", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_that_does_nothing_is_soon_told_so() -> None:
    done = conformance("--patience", "1", "--json", "--", "sleep", "60")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert not found["ok"]
    held = {each["point"]: each["kept"] for each in found["points"]}
    assert held.pop(Point.LISTENS) is False
    assert set(held.values()) == {None}, "without it nothing else can be tried"
    assert "was not subscribed" in found["points"][0]["why"]
    assert "Not kept: listens\n" in done.stderr


def test_a_program_that_ends_at_once_is_told_with_what_it_wrote() -> None:
    done = conformance("--patience", "2", "--", "sh", "-c", "echo no such map >&2; exit 7")
    assert done.returncode == 1
    assert "it ended with exit code 7" in done.stdout
    assert "no such map" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--only", "goood", "--", "true"), 2, "there is no evening 'goood'"),
        (("--", "/no/such/program"), 1, "/no/such/program cannot be started"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_tried_is_said(options: tuple[str, ...], code: int, said: str) -> None:
    done = conformance(*options)
    assert done.returncode == code
    assert said in done.stderr


def test_the_page_names_every_evening_and_point() -> None:
    page = (ROOT / "docs/conformance.md").read_text("utf-8")
    for name, plan in PLANS.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert plan.does in row
        assert all(f"`{point}`" in row for point in plan.points)
    assert [point for plan in PLANS.values() for point in plan.points] == list(Point)
