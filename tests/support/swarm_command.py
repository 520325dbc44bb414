"""`matchkeeper swarm` as a process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

from tests.support.harness import MODES

SOON = ("--timeout", "1", "--late", "1")
"""Where nobody answers, there is nothing to wait for."""


def command(*arguments: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Its words and its environment."""
    variables = {key: value for key, value in os.environ.items() if "MATCHKEEPER" not in key}
    variables |= {"COLUMNS": "200", "NO_COLOR": "1", **environment}
    variables.setdefault("MATCHKEEPER_MATCHMAKING__GAME_MODES", json.dumps(MODES))
    # A machine that stands still for seconds must not look like a lost connection.
    variables.setdefault("MATCHKEEPER_MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS", "20")
    return [sys.executable, "-m", "matchkeeper", "swarm", *arguments], variables


async def swarm(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    words, variables = command(*arguments, **environment)
    return await asyncio.to_thread(
        subprocess.run,
        words,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def started(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """The command, while it runs."""
    words, variables = command(*arguments)
    pipe = subprocess.PIPE
    return subprocess.Popen(words, env=variables, stdin=stdin, stdout=pipe, stderr=pipe, text=True)
