"""`matchkeeper dead-letters`: tickets that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    ask,
    moment,
    out,
    printable,
    show_json,
    table,
)
from matchkeeper.cli.queue import AnyModeArgument, CountOption, ModeArgument, YesOption

if TYPE_CHECKING:
    from matchkeeper.operate.operator import Operator
    from matchkeeper.store.dead_letters import DeadLetter

app = typer.Typer(
    help="See tickets that were set aside; requeue or drop them.", no_args_is_help=True
)

IdArgument = Annotated[str, typer.Argument(help="Id as `list` shows it.")]


@app.command("list")
def list_letters(
    mode: AnyModeArgument = None,
    count: CountOption = 50,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tickets that were set aside, newest first, with the reason.

    Example: matchkeeper dead-letters list Normal
    """

    async def question(operator: Operator) -> Any:
        return [
            (each.name, letter)
            for each in operator.asked_for(mode)
            for letter in await operator.dead_letters(each, count=count)
        ]

    found: list[tuple[str, DeadLetter]] = ask(config, redis_url, question)
    if as_json:
        show_json([{"mode": name, **_fields(letter)} for name, letter in found])
        return
    rows = table("mode", "id", "player", "set aside", "reason", whole=("id",))
    for name, letter in found:
        player, reason = printable(letter.player_id), printable(letter.reason)
        rows.add_row(name, letter.entry_id, player, moment(letter.set_aside_at), reason)
    out.print(rows)


@app.command("show")
def show_letter(
    mode: ModeArgument,
    entry_id: IdArgument,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """Show one ticket that was set aside, with its raw metadata, as JSON.

    Example: matchkeeper dead-letters show Normal 1700000000000-0
    """

    async def question(operator: Operator) -> Any:
        return await operator.dead_letter(operator.mode(mode), entry_id)

    show_json(_fields(ask(config, redis_url, question)))


@app.command("requeue")
def requeue(
    mode: ModeArgument,
    entry_id: IdArgument,
    metadata: Annotated[
        str | None, typer.Option(help="Mended metadata as JSON, with its pod_id.")
    ] = None,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """Put a ticket back into its queue, with the place it had.

    Example: matchkeeper dead-letters requeue Normal 1700000000000-0 --metadata
    '{"pod_id": "pod-a"}'
    """

    async def question(operator: Operator) -> str:
        return await operator.requeue(operator.mode(mode), entry_id, metadata=metadata)

    out.print(f"{printable(ask(config, redis_url, question))} is back in {mode}")


@app.command("drop")
def drop(
    mode: ModeArgument,
    entry_id: IdArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """Delete a ticket for good. Its player is told nothing.

    Example: matchkeeper dead-letters drop Normal 1700000000000-0 --yes
    """
    if not yes:
        typer.confirm(f"Delete dead letter {entry_id} of {mode} for good?", abort=True)

    async def question(operator: Operator) -> None:
        await operator.drop(operator.mode(mode), entry_id)

    ask(config, redis_url, question)
    out.print(f"{entry_id} is deleted")


def _fields(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.entry_id,
        "player_id": letter.player_id,
        "reason": letter.reason,
        "metadata": letter.metadata,
        "enqueued_at": letter.enqueued_at,
        "set_aside_at": letter.set_aside_at,
    }
