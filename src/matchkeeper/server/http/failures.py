"""What the API answers when it does not do what it was asked, and how that is documented."""

from __future__ import annotations

import msgspec
from litestar.openapi.datastructures import ResponseSpec


class Failure(msgspec.Struct, kw_only=True):
    """What was wrong, and what to do."""

    code: str
    message: str
    hint: str = ""


class FailureAnswer(msgspec.Struct, kw_only=True):
    """The body of every answer that is an error."""

    error: Failure


BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NO_REDIS = 400, 401, 403, 404, 503
_WHY = {
    BAD_REQUEST: "The request cannot be read, or asks for what cannot be",
    UNAUTHORIZED: "The token is missing or wrong",
    FORBIDDEN: "Changing calls are off: no server.api_token is set",
    NOT_FOUND: "It does not exist",
    NO_REDIS: "Redis does not do its work",
}
CHANGES = (UNAUTHORIZED, FORBIDDEN)


def fails_with(*statuses: int) -> dict[int, ResponseSpec]:
    """For the document: the errors that a route may answer."""
    return {
        status: ResponseSpec(
            data_container=FailureAnswer, description=_WHY[status], generate_examples=False
        )
        for status in statuses
    }
