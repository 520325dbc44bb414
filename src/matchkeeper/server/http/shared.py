"""What the routes share."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

Count = Annotated[int, Parameter(ge=1, le=1000, description="How many at most")]
MOST_BYTES = 1024 * 1024
"""Bytes of metadata in one answer: it is made in the event loop that also makes the matches."""
SECURITY: list[dict[str, list[str]]] = [{"token": []}]
