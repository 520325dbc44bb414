"""JSON as an outsider reads and writes it. Pure."""

from __future__ import annotations

import json
from typing import Any

_LATER = {"later": {"than": ["today", None, 1.5]}}
_AS_IT_IS = "metadata"
_ONE_KEY = "result_type"


def fields_of(text: bytes | str) -> dict[str, Any] | None:
    """The object that a text holds; None where it holds none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def adorned(value: Any, *, name: str = "") -> Any:
    """A message with fields that nobody knows in every object that may have some."""
    if isinstance(value, list):
        return [adorned(item) for item in value]
    if not isinstance(value, dict) or name == _AS_IT_IS:
        return value
    inner = {key: adorned(item, name=key) for key, item in value.items()}
    return inner if name == _ONE_KEY else {**_LATER, **inner}


def handoff_in(answer: dict[str, Any]) -> dict[str, Any]:
    """What came of a message about a match; empty where the answer is another."""
    found = told_in(answer).get("Handoff")
    return found if isinstance(found, dict) else {}


def word_in(answer: dict[str, Any]) -> str:
    """What a player is told: a word, or the code of an error."""
    result = answer.get("result_type")
    if isinstance(result, str):
        return result
    told = told_in(answer)
    word = next(iter(told), "")
    error = told.get("Error")
    return str(error.get("code", "")) if isinstance(error, dict) else word


def told_in(answer: dict[str, Any]) -> dict[str, Any]:
    """The `result_type` of an answer, where that is an object."""
    result = answer.get("result_type")
    return result if isinstance(result, dict) else {}
