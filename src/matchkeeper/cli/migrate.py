"""`matchkeeper migrate`: brings what stands in Redis to the form of this version."""

from __future__ import annotations

from typing import Annotated

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    connected,
    in_loop,
    printable,
    settings_from,
    show_json,
)


def migrate(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where something cannot be read.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring what stands in Redis to the form of this version. Safe to repeat.

    Stop all servers first. It looks at the realm that the settings name. Exits with 5 where this
    version cannot work with what stands there.

    Example: matchkeeper migrate --redis-url redis://localhost:6379
    """
    from matchkeeper import __version__  # noqa: PLC0415
    from matchkeeper.operate.migration import Migrated, Migration  # noqa: PLC0415

    settings = settings_from(config, redis_url)

    async def run() -> Migrated:
        async with connected(settings) as (stores, _):
            migration = Migration(
                settings.modes(),
                version=__version__,
                form=stores.form,
                tickets=stores.tickets,
                matches=stores.matches,
                servers=stores.servers,
            )
            return await migration.run(anyway=anyway)

    done = in_loop(run())
    if as_json:
        show_json(
            {
                "form": done.stamp.form,
                "written_by": done.stamp.by,
                "done": done.done,
                "tickets": done.tickets,
                "matches": done.matches,
                "unreadable": done.unreadable,
            }
        )
        return
    typer.echo(printable(str(done)))
