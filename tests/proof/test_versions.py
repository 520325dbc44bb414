"""The version before this one, built from git, beside this one: rolled forward and back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proof.versions.release import HERE, NoReleaseError, Release, built, previous
from proof.versions.roll import roll

REF = os.environ.get("PREVIOUS_VERSION", "")
"""The git ref to build; empty: the newest tag behind this version."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Release:
    if not REF:
        try:
            found = previous()
        except NoReleaseError as error:
            pytest.skip(str(error))
    return built(REF or found, tmp_path_factory.mktemp("release") / "before")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("versions")
@pytest.mark.parametrize("forward", [True, False])
async def test_neighbours_run_side_by_side(forward: bool, before: Release, tmp_path: Path) -> None:
    first, then = (before, HERE) if forward else (HERE, before)
    outcome = await roll(
        tmp_path / "site",
        first,
        then,
        step_seconds=4,
        players_per_second=30,
        realm="" if forward else "eu",
    )
    assert outcome.good, str(outcome)
    assert {before.name, HERE.name} == set(outcome.served)


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoReleaseError, match="no-such-ref"):
        built("no-such-ref", tmp_path / "before")
