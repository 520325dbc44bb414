"""What the commands share: options, settings, a connected operator, output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from matchkeeper.errors import ConfigError
from matchkeeper.wire.limits import escaped

if TYPE_CHECKING:
    from rich.table import Table

    from matchkeeper.config import Settings
    from matchkeeper.operate.operator import Operator
    from matchkeeper.server.wiring import Stores

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="TOML file with the settings.", envvar="MATCHKEEPER_CONFIG"
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        help="Redis or Valkey to use. With a password in it, better set MATCHKEEPER_REDIS__URL, "
        "which does not show in the list of processes.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines.")]

_WIDTH_OF_A_PIPE = 200


def _width() -> int | None:
    """None: as wide as the terminal. Text that is piped into grep should not be wrapped at 80."""
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return _WIDTH_OF_A_PIPE if piped else None


# Ids, metadata and reasons come from strangers: `[red]` and `:smile:` in them are just text.
out = Console(soft_wrap=True, markup=False, emoji=False, highlight=False, width=_width())


printable = escaped


def table(*columns: str, whole: Collection[str] = ()) -> Table:
    """A table that cuts nothing off. The columns in `whole` are not wrapped either."""
    from rich.table import Table  # noqa: PLC0415  # slow to import

    made = Table()
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in whole)
    return made


def settings_from(config: Path | None, redis_url: str | None, **overrides: object) -> Settings:
    """File, environment and options together. Raises ConfigError."""
    from matchkeeper.config import load  # noqa: PLC0415  # slow to import

    given = {name.replace("__", "."): value for name, value in overrides.items()}
    return load(config, {"redis.url": redis_url, **given})


def secret_url(settings: Settings) -> str | None:
    """The Redis that the settings name, with its password; None where they name none."""
    return None if settings.redis.url is None else settings.redis.url.get_secret_value()


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs in uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def url_of(settings: Settings) -> str:
    """The Redis that the settings name. Raises ConfigError where they name none."""
    if settings.redis.url is not None:
        return settings.redis.url.get_secret_value()
    server = Path(settings.redis.embedded_dir) / "server"
    if server.exists():
        return f"redis://127.0.0.1:{server.read_text().split()[1]}/0"
    raise ConfigError(
        "No Redis is named, and no embedded Valkey runs here",
        hint="Give --redis-url, or set MATCHKEEPER_REDIS__URL or redis.url in the file.",
    )


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[tuple[Stores, Operator]]:
    """Stores and operator for one command. Raises MatchkeeperError."""
    import random  # noqa: PLC0415
    import time  # noqa: PLC0415

    from matchkeeper.resilience.breaker import CircuitBreaker  # noqa: PLC0415
    from matchkeeper.server import wiring  # noqa: PLC0415  # slow to import
    from matchkeeper.store.operations import Unobserved  # noqa: PLC0415

    rng = random.Random()  # noqa: S311  # jitter, not secrets
    stores = wiring.stores_for(
        settings,
        wiring.options_for(settings, url_of(settings)),
        me=wiring.new_server_id(),
        breaker=CircuitBreaker(clock=time.monotonic, rng=rng),
        events=Unobserved(),
        clock=time.monotonic,
        rng=rng,
    )
    async with stores.connection:
        yield stores, wiring.operator_for(settings, stores)


def ask(
    config: Path | None,
    redis_url: str | None,
    question: Callable[[Operator], Coroutine[Any, Any, T]],
) -> T:
    """Connects, asks the operator one thing, and returns the answer."""
    settings = settings_from(config, redis_url)

    async def run() -> T:
        async with connected(settings) as (_, operator):
            return await question(operator)

    return asyncio.run(run())


def moment(seconds: float) -> str:
    """Unix time in seconds, for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def show_json(value: object) -> None:
    """A value as indented JSON on stdout, in ASCII, so that every text survives every terminal."""
    typer.echo(json.dumps(value, indent=2))
