"""`matchkeeper match`: matches that are being handed to a game server."""

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
    from matchkeeper.operate.operator import EndedMatch, Operator
    from matchkeeper.server.http.models import MatchView

app = typer.Typer(
    help="See matches that are offered or claimed, and end them.", no_args_is_help=True
)

MatchArgument = Annotated[str, typer.Argument(help="Match id as `list` shows it.")]


@app.command("list")
def list_matches(
    mode: AnyModeArgument = None,
    count: CountOption = 50,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List matches that wait to be claimed or started, those due first.

    Example: matchkeeper match list Squad
    """

    async def question(operator: Operator) -> Any:
        return [
            (each.name, _view(match))
            for each in operator.asked_for(mode)
            for match in await operator.pending(each, count=count)
        ]

    found: list[tuple[str, MatchView]] = ask(config, redis_url, question)
    if as_json:
        show_json([{"mode": name, **_fields(match)} for name, match in found])
        return
    rows = table("mode", "match", "made", "state", "claimed by", "players", whole=("match",))
    for name, match in found:
        made = "?" if match.created_at is None else moment(match.created_at)
        state = "unreadable" if match.problem else match.state
        who = printable(match.claimed_by or "-")
        players = match.problem or ", ".join(player for team in match.teams for player in team)
        rows.add_row(name, match.match_id, made, state, who, printable(players))
    out.print(rows)


@app.command("show")
def show_match(
    mode: ModeArgument,
    match_id: MatchArgument,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """Show one match that waits to be claimed or started, as JSON.

    Example: matchkeeper match show Squad 5f0c2a7d9b3e41680000000000000001
    """

    async def question(operator: Operator) -> Any:
        return _view(await operator.match(operator.mode(mode), match_id))

    show_json(_fields(ask(config, redis_url, question)))


@app.command("end")
def end_match(
    mode: ModeArgument,
    match_id: MatchArgument,
    leave: Annotated[
        bool, typer.Option("--leave", help="The players leave the queue, and are told DeQueued.")
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """End a match that has not started. Its players go back to the queue with their place.

    A game server that has claimed it is refused when it confirms the start.

    Example: matchkeeper match end Squad 5f0c2a7d9b3e41680000000000000001
    """
    if not yes:
        typer.confirm(f"End match {match_id} of {mode}?", abort=True)

    async def question(operator: Operator) -> EndedMatch:
        return await operator.end_match(operator.mode(mode), match_id, leave=leave)

    out.print(f"Match {printable(match_id)} is over: {ask(config, redis_url, question)}")


def _view(match: Any) -> MatchView:
    from matchkeeper.server.http.models import match_view  # noqa: PLC0415  # slow to import

    return match_view(match)


def _fields(match: MatchView) -> dict[str, object]:
    import msgspec  # noqa: PLC0415  # slow to import

    fields: dict[str, object] = msgspec.structs.asdict(match)
    return fields
