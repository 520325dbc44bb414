"""The match server of the evenings: `matchkeeper serve` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from matchkeeper.conformance.points import ConformanceError

MODE = "Duel"
OFFER_SECONDS = 1.5
LEASE_SECONDS = 10.0
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_MODE = {
    "game_mode": MODE,
    "required_players": 2,
    "handoff": "claim",
    "claim_lease_seconds": LEASE_SECONDS,
}
_SETTINGS = {
    "SERVER__PORT": 0,
    "LOGGING__FORMAT": "json",
    "MATCHMAKING__GAME_MODES": json.dumps([_MODE]),
    "MATCHMAKING__OFFER_TIMEOUT_SECONDS": OFFER_SECONDS,
    "MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS": 0.3,
    "MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS": 2,
    "MATCHMAKING__MAX_OFFERS": 100,
    # A bad program gets another chance on the next evening.
    "MATCHMAKING__UNCLAIMED_THRESHOLD": 10_000,
    "MATCHMAKING__UNSTARTED_THRESHOLD": 10_000,
    "REDIS__BREAKER_COOLDOWN_SECONDS": 0.5,
    "REDIS__BREAKER_COOLDOWN_MAX_SECONDS": 0.5,
}
_PREFIX = "MATCHKEEPER_"


@asynccontextmanager
async def match_server(url: str, folder: Path) -> AsyncGenerator[None]:
    """Serves from here to the end. Raises ConformanceError where it does not start."""
    log = folder / "matchkeeper.log"
    inherited = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    settings = {f"{_PREFIX}{name}": str(value) for name, value in _SETTINGS.items()}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "matchkeeper", "serve"),
            env={**inherited, **settings, f"{_PREFIX}REDIS__URL": url},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        await _is_ready(process, log)
        yield
    finally:
        await _stop(process)


def _is_setting(name: str) -> bool:
    return name.startswith(_PREFIX)


async def _is_ready(process: asyncio.subprocess.Process, log: Path) -> None:
    address = re.compile(r'"http": ?"(http://[^"]+)"')
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient() as http:
            while process.returncode is None:
                found = address.search(log.read_text("utf-8", "replace"))  # noqa: ASYNC240
                with suppress(httpx.HTTPError):
                    if found and (await http.get(f"{found[1]}/health/ready")).is_success:
                        return
                await asyncio.sleep(0.05)
    lines = log.read_text("utf-8", "replace").strip().splitlines()  # noqa: ASYNC240
    raise ConformanceError(
        f"The match server did not start: {lines[-1] if lines else 'it wrote no log'}",
        hint="Nothing was said of your program. `matchkeeper doctor` may know more.",
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        if process.returncode is None:
            process.kill()
    await process.wait()
