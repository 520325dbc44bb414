"""The JSON API for operators, `/api/v1`. What changes something needs the token."""

from __future__ import annotations

import hmac
import math
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import Parameter

from matchkeeper import __version__
from matchkeeper.domain.agreement import ModeState
from matchkeeper.operate.operator import BadRequestError
from matchkeeper.server.http import models
from matchkeeper.server.http.failures import BAD_REQUEST, NO_REDIS, NOT_FOUND, fails_with
from matchkeeper.server.http.guards import budgeted
from matchkeeper.server.http.match_routes import match_routes
from matchkeeper.server.http.shared import MOST_BYTES, Count, changing
from matchkeeper.server.wiring import Context
from matchkeeper.wire.limits import ID_PATTERN, MAX_ID_CHARACTERS, id_problem, printable

Start = Annotated[int, Parameter(ge=0, le=2**53, description="Rank of the first, 0 waits longest")]
PlayerId = Annotated[
    str,
    # For the document; `_player` refuses what does not fit, and says so in words.
    Parameter(schema_extra={"maxLength": MAX_ID_CHARACTERS, "pattern": ID_PATTERN}),
]


def token_guard(context: Context) -> Any:
    """Lets changing calls pass only with the token of the settings."""
    secret = context.settings.server.api_token

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if secret is None:
            raise PermissionDeniedException(
                "Changing calls are off: set server.api_token to turn them on."
            )
        given = connection.headers.get("Authorization", "")
        expected = f"Bearer {secret.get_secret_value()}"
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise NotAuthorizedException(
                "Send the header Authorization: Bearer <server.api_token>.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return guard


def api_router(context: Context) -> Router:
    """All routes of version 1."""
    guard = [token_guard(context)]
    return Router(
        "/api/v1",
        route_handlers=[
            Router(
                "/",
                route_handlers=[
                    *_queue_routes(context),
                    *_hold_routes(context, guard),
                    *_player_routes(context, guard),
                    *match_routes(context, guard),
                    *_dead_letter_routes(context, guard),
                    *_pod_routes(context),
                ],
                middleware=[budgeted()],
            ),
            *_breaker_routes(context, guard),
            version,
        ],
    )


@get("/version", tags=["server"], summary="The version", sync_to_thread=False)
def version() -> dict[str, str]:
    """The version of this server."""
    return {"version": __version__}


def _queue_routes(context: Context) -> list[Any]:
    operator = context.operator

    @get("/queues", tags=["queues"], summary="All queues", responses=fails_with(NO_REDIS))
    async def queues() -> list[models.Queue]:
        return [models.queue_view(state) for state in await operator.queues()]

    @get(
        "/queues/{mode:str}",
        tags=["queues"],
        summary="Who waits in a queue, longest first; 1 MiB at most, then next_start says where to "
        "read on",
        responses=fails_with(BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def queue(mode: str, start: Start = 0, count: Count = 100) -> models.TicketPage:
        found = operator.mode(mode)
        page = await operator.page(found, start=start, count=count, most_bytes=MOST_BYTES)
        return models.TicketPage(
            mode=found.name,
            length=page.queue_length,
            start=start,
            tickets=[
                models.TicketView(
                    player_id=ticket.ticket_id,
                    players=[each.player_id for each in ticket.members],
                    pod_id=ticket.members[0].pod_id,
                    enqueued_at=ticket.enqueued_at,
                    waited_seconds=max(0.0, page.now - ticket.enqueued_at),
                    metadata=msgspec.json.decode(page.fetched.metadata[ticket.ticket_id]),
                    held=context.pods.hold(ticket),
                )
                for ticket in page.tickets
            ],
            next_start=start + len(page.scan.places) if page.cut else None,
            unreadable=[printable(ticket.ticket_id) for ticket in page.unreadable],
        )

    return [queues, queue]


def _hold_routes(context: Context, guard: list[Any]) -> list[Any]:
    operator = context.operator
    described = changing(guard, BAD_REQUEST, NOT_FOUND, NO_REDIS) | {"tags": ["queues"]}

    async def hold(mode: str, state: ModeState) -> models.Done:
        found = operator.mode(mode)
        states = await operator.hold(found, state)
        return models.Done(done=f"{found.name} is {' and '.join(sorted(states))}")

    @post(
        "/queues/{mode:str}/drain",
        summary="No new players on any server; those who wait are matched",
        **described,
    )
    async def drain(mode: str) -> models.Done:
        return await hold(mode, ModeState.DRAINED)

    @post(
        "/queues/{mode:str}/pause",
        summary="Nobody is matched on any server; newcomers wait",
        **described,
    )
    async def pause(mode: str) -> models.Done:
        return await hold(mode, ModeState.PAUSED)

    @post("/queues/{mode:str}/resume", summary="End drain and pause", **described)
    async def resume(mode: str) -> models.Done:
        found = operator.mode(mode)
        await operator.resume(found)
        return models.Done(done=f"{found.name} goes on as usual")

    return [drain, pause, resume]


def _player_routes(context: Context, guard: list[Any]) -> list[Any]:
    return [*_removals(context, guard), *_lookups(context)]


def _removals(context: Context, guard: list[Any]) -> list[Any]:
    operator = context.operator
    described = changing(guard, BAD_REQUEST, NOT_FOUND, NO_REDIS) | {"tags": ["queues"]}

    async def done(mode: str, player_id: str) -> models.Done:
        await operator.remove(operator.mode(mode), _player(player_id))
        return models.Done(done=f"{player_id} is out of {mode}")

    @delete(
        "/queues/{mode:str}/tickets/{player_id:str}",
        summary="Take a player out of a queue; the pod is told",
        **described,
    )
    async def remove(mode: str, player_id: PlayerId) -> models.Done:
        return await done(mode, player_id)

    @delete(
        "/queues/{mode:str}/tickets",
        summary="The same, for any player id: a path cannot hold each",
        **described,
    )
    async def remove_any(mode: str, player_id: PlayerId) -> models.Done:
        return await done(mode, player_id)

    return [remove, remove_any]


def _lookups(context: Context) -> list[Any]:
    operator = context.operator
    described: dict[str, Any] = {
        "tags": ["queues"],
        "responses": fails_with(BAD_REQUEST, NO_REDIS),
    }

    async def view(player_id: str) -> models.PlayerView:
        found = await operator.where(_player(player_id))
        pending = found.pending_match
        return models.PlayerView(
            player_id=player_id,
            queues=dict(found.queues),
            pending_match=None if pending is None else {"mode": pending[0], "match_id": pending[1]},
            party=models.party_view(found.party),
            history=[
                models.happened_view(each, operator.mode(each.queue.mode).name)
                for each in await operator.history(player_id)
            ],
        )

    @get(
        "/players/{player_id:str}",
        summary="Where a player is now, or a party, and how that came",
        **described,
    )
    async def player(player_id: PlayerId) -> models.PlayerView:
        return await view(player_id)

    @get("/players", summary="The same, for any player id: a path cannot hold each", **described)
    async def any_player(player_id: PlayerId) -> models.PlayerView:
        return await view(player_id)

    return [player, any_player]


def _dead_letter_routes(context: Context, guard: list[Any]) -> list[Any]:
    operator = context.operator

    @get(
        "/dead-letters/{mode:str}",
        tags=["dead letters"],
        summary="Set aside, newest first; fewer than asked for where they hold more than 1 MiB: "
        "read on before the last id",
        responses=fails_with(BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def letters(
        mode: str, count: Count = 100, before: str | None = None
    ) -> list[models.DeadLetterView]:
        found = await operator.dead_letters(
            operator.mode(mode), count=count, before=before, most_bytes=MOST_BYTES
        )
        return [models.letter_view(letter) for letter in found]

    @post(
        "/dead-letters/{mode:str}/{entry_id:str}/requeue",
        tags=["dead letters"],
        summary="Put it back with the place it had, with mended metadata if given",
        **changing(guard, BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def requeue(mode: str, entry_id: str, data: models.Requeue | None = None) -> models.Done:
        metadata = None
        if data is not None and data.metadata is not None:
            metadata = msgspec.json.encode(data.metadata).decode()
        player = await operator.requeue(operator.mode(mode), entry_id, metadata=metadata)
        return models.Done(done=f"{player} is back in {mode}")

    @delete(
        "/dead-letters/{mode:str}/{entry_id:str}",
        tags=["dead letters"],
        summary="Delete it for good",
        **changing(guard, BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def drop(mode: str, entry_id: str) -> models.Done:
        await operator.drop(operator.mode(mode), entry_id)
        return models.Done(done=f"{entry_id} is deleted")

    return [letters, requeue, drop]


def _breaker_routes(context: Context, guard: list[Any]) -> list[Any]:
    breaker = context.breaker
    breakers = (breaker, context.people.connection.breaker)

    def view() -> models.BreakerView:
        seconds = breaker.seconds_until_probe()
        return models.BreakerView(
            state=breaker.state.value,
            failures=breaker.failures,
            seconds_until_probe=seconds if math.isfinite(seconds) else None,
        )

    @get("/breaker", tags=["server"], summary="The circuit breaker", sync_to_thread=False)
    def show_breaker() -> models.BreakerView:
        return view()

    @post(
        "/breaker/force-open",
        tags=["server"],
        summary="Send nothing to Redis until released",
        sync_to_thread=False,
        **changing(guard),
    )
    def force_open() -> models.BreakerView:
        for each in breakers:
            each.force_open()
        return view()

    @post(
        "/breaker/release",
        tags=["server"],
        summary="End force-open; the next operation is the probe",
        sync_to_thread=False,
        **changing(guard),
    )
    def release() -> models.BreakerView:
        for each in breakers:
            each.release()
        return view()

    return [show_breaker, force_open, release]


def _pod_routes(context: Context) -> list[Any]:
    @get(
        "/pods",
        tags=["server"],
        summary="Game servers that send heartbeats, go unclaimed or start nothing",
        responses=fails_with(NO_REDIS),
    )
    async def pods() -> list[models.PodView]:
        heard = await context.people.coordination.pods()
        unclaimed = context.pods.unclaimed_in_a_row()
        not_started = context.claimers.not_started()
        return [
            models.PodView(
                pod_id=printable(pod_id),
                heard_seconds_ago=heard.get(pod_id),
                silent=pod_id in context.pods.silent,
                unclaimed_in_a_row=unclaimed.get(pod_id, 0),
                not_started_in_a_row=not_started.get(pod_id, 0),
            )
            for pod_id in sorted({*heard, *unclaimed, *not_started})
        ]

    return [pods]


def _player(player_id: str) -> str:
    if problem := id_problem("player_id", player_id):
        raise BadRequestError(problem, hint="1 to 128 characters without control characters.")
    return player_id
