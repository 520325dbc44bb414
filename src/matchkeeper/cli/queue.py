"""`matchkeeper queue`: who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    ask,
    out,
    printable,
    show_json,
    table,
)
from matchkeeper.errors import NotFoundError

if TYPE_CHECKING:
    from matchkeeper.domain.ticket import PoisonedTicket, Ticket
    from matchkeeper.operate.operator import Operator

app = typer.Typer(help="See who waits, and take players out.", no_args_is_help=True)

ModeArgument = Annotated[str, typer.Argument(help="Game mode, such as Normal.")]
AnyModeArgument = Annotated[str | None, typer.Argument(help="Game mode; all when left out.")]
CountOption = Annotated[int, typer.Option(min=1, max=1000, help="How many of each mode.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_queues(
    config: ConfigOption = None, redis_url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List all queues: how many wait, and how long the first has.

    Example: matchkeeper queue list --redis-url redis://localhost:6379
    """

    async def question(operator: Operator) -> Any:
        return await operator.queues()

    states = ask(config, redis_url, question)
    if as_json:
        show_json(
            [
                {
                    "mode": state.mode.name,
                    "length": state.length,
                    "oldest_wait_seconds": state.oldest_wait_seconds,
                    "pending_matches": state.pending_matches,
                    "dead_letters": state.dead_letters,
                    "states": sorted(state.states),
                }
                for state in states
            ]
        )
        return
    rows = table("mode", "waiting", "oldest wait", "pending matches", "dead letters", "state")
    for state in states:
        oldest = state.oldest_wait_seconds
        rows.add_row(
            state.mode.name,
            str(state.length),
            "-" if oldest is None else f"{oldest:.1f} s",
            str(state.pending_matches),
            str(state.dead_letters),
            " and ".join(sorted(state.states)) or "-",
        )
    out.print(rows)


@app.command("show")
def show_queue(
    mode: ModeArgument,
    start: Annotated[int, typer.Option(min=0, help="Skip so many of those who wait longest.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")] = 50,
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who waits in a queue, longest waiting first; of a party its id and its players.

    Example: matchkeeper queue show Normal --count 10
    """

    async def question(operator: Operator) -> Any:
        return await operator.page(operator.mode(mode), start=start, count=count)

    page = ask(config, redis_url, question)
    metadata = page.fetched.metadata
    if as_json:
        tickets = [_ticket(each, metadata[each.ticket_id]) for each in page.tickets]
        show_json(tickets + [_entry(each) for each in page.unreadable])
        return
    rows = table("player", "pod", "waited", "metadata")
    for ticket in page.tickets:
        waited = f"{max(0.0, page.now - ticket.enqueued_at):.1f} s"
        name, pods = ticket.ticket_id, dict.fromkeys(each.pod_id for each in ticket.members)
        who = f"{name}: {', '.join(each.player_id for each in ticket.members)}"
        rows.add_row(
            printable(who if ticket.is_party else name),
            printable(", ".join(pods)),
            waited,
            printable(metadata[name]),
        )
    for ticket in page.unreadable:
        rows.add_row(printable(ticket.ticket_id), "?", "unreadable", printable(ticket.reason))
    out.print(rows)
    out.print(f"{len(page.scan.places)} of {page.queue_length} shown")


def _ticket(ticket: Ticket, metadata: str) -> dict[str, object]:
    return {
        "player_id": ticket.ticket_id,
        "players": [each.player_id for each in ticket.members],
        "pod_id": ticket.members[0].pod_id,
        "enqueued_at": ticket.enqueued_at,
        "metadata": metadata,
        "problem": None,
    }


def _entry(entry: PoisonedTicket) -> dict[str, object]:
    return {
        "player_id": entry.ticket_id,
        "players": [each.player_id for each in entry.members],
        "pod_id": entry.members[0].pod_id if entry.members else None,
        "enqueued_at": entry.enqueued_at,
        "metadata": entry.raw_metadata,
        "problem": entry.reason,
    }


@app.command("remove")
def remove(
    mode: ModeArgument,
    player_id: Annotated[str, typer.Argument(help="Player to take out.")],
    config: ConfigOption = None,
    redis_url: UrlOption = None,
) -> None:
    """Take a player out of a queue, and so the party that the player is in. The pods are told
    DeQueued, as if the player had asked.

    Example: matchkeeper queue remove Normal player-17
    """

    from matchkeeper.wire.limits import id_problem  # noqa: PLC0415

    problem = id_problem("player_id", player_id)
    if problem is not None:
        raise NotFoundError(
            f"There is no such player: {problem}",
            hint="Entries that no player can have are set aside; see matchkeeper dead-letters list",
        )

    async def question(operator: Operator) -> None:
        await operator.remove(operator.mode(mode), player_id)

    ask(config, redis_url, question)
    out.print(f"{printable(player_id)} is out of {mode}")


@app.command("drain")
def drain(mode: ModeArgument, config: ConfigOption = None, redis_url: UrlOption = None) -> None:
    """Let no new players into a queue, on all servers. Those who wait there are matched.

    Example: matchkeeper queue drain Normal
    """
    _hold(mode, "DRAINED", config, redis_url)


@app.command("pause")
def pause(mode: ModeArgument, config: ConfigOption = None, redis_url: UrlOption = None) -> None:
    """Match nobody in a queue, on all servers. Newcomers wait, and expire as usual.

    Example: matchkeeper queue pause Normal
    """
    _hold(mode, "PAUSED", config, redis_url)


@app.command("resume")
def resume(mode: ModeArgument, config: ConfigOption = None, redis_url: UrlOption = None) -> None:
    """End drain and pause of a queue.

    Example: matchkeeper queue resume Normal
    """

    async def question(operator: Operator) -> None:
        await operator.resume(operator.mode(mode))

    ask(config, redis_url, question)
    out.print(f"{mode} goes on as usual")


def _hold(mode: str, state: str, config: ConfigOption, redis_url: UrlOption) -> None:
    from matchkeeper.domain.agreement import ModeState  # noqa: PLC0415  # as all of ours

    async def question(operator: Operator) -> Any:
        return await operator.hold(operator.mode(mode), ModeState[state])

    states: frozenset[str] = ask(config, redis_url, question)
    out.print(f"{mode} is {' and '.join(sorted(states))}; servers follow within two seconds")
