"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any

from litestar.params import Parameter

from matchkeeper.server.http.failures import CHANGES, fails_with

Count = Annotated[int, Parameter(ge=1, le=1000, description="How many at most")]
MOST_BYTES = 1024 * 1024
"""Bytes of metadata in one answer: it is made in the event loop that also makes the matches."""


def changing(guard: list[Any], *failures: int) -> dict[str, Any]:
    """What routes that change something share: `guard` lets pass the callers that may; `failures`
    are the errors that they may answer beside those of `guard`.
    """
    return {
        "guards": guard,
        "security": [{"token": []}],
        "responses": fails_with(*sorted((*CHANGES, *failures))),
        "status_code": 200,
    }
