"""The client as a distribution of its own: built from its folder, installed where no server is."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import venv
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from matchkeeper.conformance.run import play

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000
# Of pip and of how an environment begins.
NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
EVERYTHING = """
import importlib, pkgutil, sys
import matchkeeper_client

for each in pkgutil.walk_packages(matchkeeper_client.__path__, "matchkeeper_client."):
    importlib.import_module(each.name)
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of server and client: of a release, where one is tested."""
    if released := os.environ.get("RELEASED_WHEELS"):
        return Path(released)
    out = tmp_path_factory.mktemp("wheels")
    for folder in (ROOT, ROOT / "src/matchkeeper_client"):
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out), cwd=folder)
    return out


def wheel_of(wheels: Path, name: str) -> Path:
    (wheel,) = wheels.glob(f"{name}-*.whl")
    return wheel


def required(wheel: Path) -> set[str]:
    """Whatever is installed with a wheel, as this environment has it."""
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        todo = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    known: set[str] = set()
    while todo:
        requirement = Requirement(todo.pop())
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in known:
            known.add(requirement.name)
            todo += distribution(requirement.name).requires or []
    return known


@pytest.fixture(scope="module")
def alone(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the client and what it needs. What it needs is copied: no network."""
    place = tmp_path_factory.mktemp("alone")
    venv.create(place, with_pip=True)
    (site,) = place.glob("lib/python*/site-packages")
    wheel = wheel_of(wheels, "matchkeeper_client")
    for name in required(wheel):
        for file in distribution(name).files or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)
    run(place / "bin/python", "-m", "pip", "install", "--no-index", "--quiet", wheel)
    return place


def test_it_brings_three_packages_and_less_than_15_megabytes(wheels: Path, alone: Path) -> None:
    assert required(wheel_of(wheels, "matchkeeper_client")) == {"hiredis", "msgspec", "redis"}
    (site,) = alone.glob("lib/python*/site-packages")
    ours = [each for each in site.iterdir() if not each.name.startswith(NOT_OURS)]
    for each in ours:
        compileall.compile_dir(each, quiet=2)
    files = [file for each in ours for file in (each, *each.rglob("*")) if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 15 * MEGABYTE


def test_it_imports_nothing_of_the_server(alone: Path) -> None:
    imported = run(alone / "bin/python", "-I", "-c", EVERYTHING).split()
    assert {name for name in imported if not name.startswith("_")} == {
        *("hiredis", "matchkeeper_client", "msgspec", "redis"),
    }


async def test_it_plays_a_match(alone: Path, tmp_path: Path) -> None:
    text = (ROOT / "examples/game_server.py").read_text("utf-8")
    example = tmp_path / "game_server.py"
    example.write_text(text.replace("from matchkeeper.client ", "from matchkeeper_client "))
    command = [str(alone / "bin/python"), "-I", str(example)]
    (night,) = await play(command, tmp_path, only=["good"], patience=15)
    assert [each for each in night.findings if not each.kept] == [], night.lines


def test_neither_package_owns_a_file_of_the_other(wheels: Path) -> None:
    """So they are installed in either order, and either can be uninstalled."""
    owned = [
        set(ZipFile(wheel_of(wheels, name)).namelist())
        for name in ("matchkeeper", "matchkeeper_client")
    ]
    assert not owned[0] & owned[1]
    assert "matchkeeper/client/__init__.py" in owned[0]
