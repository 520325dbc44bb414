"""What all tables of the configuration have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

HOUR = 3600
DAY = 24 * HOUR


class Section(BaseModel):
    """A table: frozen, without unknown keys, types as written (no `"8080"` for 8080)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        hide_input_in_errors=True,
    )


def allowed(text: str, *, default: str = "") -> JsonDict:
    """For fields whose type and bounds do not say it all: what is allowed, and the default."""
    return {"allowed": text, "default_text": default} if default else {"allowed": text}
