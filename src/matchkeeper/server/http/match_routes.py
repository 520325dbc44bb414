"""The routes of pending matches: to look at them, and to end one."""

from __future__ import annotations

from typing import Any

from litestar import delete, get

from matchkeeper.handoff.decide import Cause
from matchkeeper.server.http import models
from matchkeeper.server.http.failures import BAD_REQUEST, NO_REDIS, NOT_FOUND, fails_with
from matchkeeper.server.http.shared import MOST_BYTES, Count, changing
from matchkeeper.server.wiring import Context
from matchkeeper.wire.limits import printable


def match_routes(context: Context, guard: list[Any]) -> list[Any]:
    """Everybody may read; `guard` lets pass the callers that may end a match."""
    operator = context.operator

    @get(
        "/matches/{mode:str}",
        tags=["matches"],
        summary="Pending matches, those due first; fewer where they hold more than 1 MiB",
        responses=fails_with(BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def matches(mode: str, count: Count = 100) -> list[models.MatchView]:
        found = await operator.pending(operator.mode(mode), count=count, most_bytes=MOST_BYTES)
        return [models.match_view(match) for match in found]

    @get(
        "/matches/{mode:str}/{match_id:str}",
        tags=["matches"],
        summary="One pending match",
        responses=fails_with(BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def match(mode: str, match_id: str) -> models.MatchView:
        return models.match_view(await operator.match(operator.mode(mode), match_id))

    @delete(
        "/matches/{mode:str}/{match_id:str}",
        tags=["matches"],
        summary="End a pending match: its players go back with their place, or leave the queue",
        **changing(guard, BAD_REQUEST, NOT_FOUND, NO_REDIS),
    )
    async def end(mode: str, match_id: str, *, leave: bool = False) -> models.Done:
        found = operator.mode(mode)
        ended = await operator.end_match(found, match_id, leave=leave)
        context.facts.match_given_back(
            mode=found.name,
            match_id=printable(match_id),
            players=ended.put_back,
            cause=Cause.OPERATOR.value,
        )
        return models.Done(done=f"match {match_id} of {found.name} is over: {ended}")

    return [matches, match, end]
