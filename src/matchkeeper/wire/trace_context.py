"""W3C Trace Context: the `traceparent` that a request and a battle request may carry.

It is only for people who watch. A traceparent that cannot be read is ignored, never an error.
"""

from __future__ import annotations

import re

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)
_LONGEST = 256
"""Characters. Version 00 has 55; a later version may have more after them."""
PATTERN = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
"""Its pattern, for documents."""


def traceparent_in(text: str) -> str:
    """A `traceparent` in the form of version 00, 55 characters; empty where `text` is none."""
    found = _TRACEPARENT.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or (found[1] == "00" and found[3]):
        return ""
    return f"00-{found[2]}"


def traceparent_of(field: bytes) -> str:
    """As `traceparent_in`, for the JSON text of a field; empty where it is absent or no string."""
    if len(field) < 2 or not field.startswith(b'"'):
        return ""
    return traceparent_in(field[1:-1].decode("ascii", "replace"))
