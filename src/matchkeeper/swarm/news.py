"""What a player is told, read with the same caution as everything from outside."""

from __future__ import annotations

from dataclasses import dataclass

from matchkeeper.wire.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One answer. Fields that it does not have are empty."""

    kind: str
    code: str = ""
    match_id: str = ""
    mode: str = ""
    players: tuple[str, ...] = ()
    claimed_by: str | None = None


def news_of(answer: Answer) -> News:
    """What an answer says; of a wrong shape, only its kind."""
    if isinstance(answer.result_type, str):
        return News(kind=answer.result_type)
    about = next(iter(answer.result_type.values()), None)
    if not isinstance(about, dict):
        return News(kind=answer.kind)
    players = about.get("player_ids")
    claimed_by = about.get("claimed_by")
    return News(
        kind=answer.kind,
        code=_text(about.get("code")),
        match_id=_text(about.get("match_id")),
        mode=_text(about.get("game_mode")),
        players=tuple(map(_text, players)) if isinstance(players, list) else (),
        claimed_by=claimed_by if isinstance(claimed_by, str) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
