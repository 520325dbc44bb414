"""Pure functions about requests: they change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket, Traits
from matchkeeper.matching.rules.hopeless import Never
from matchkeeper.store.stream import Entry
from matchkeeper.store.tickets import Heard, Outcome
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.metadata import metadata_sum, traits_in
from matchkeeper.wire.metadata_text import BadMetadataError
from matchkeeper.wire.parties import members_of_text, traits_of_party
from matchkeeper.wire.requests import Request, RequestKind, fingerprint


def runs(batch: Sequence[Heard]) -> list[tuple[RequestKind, list[Heard]]]:
    """The batch in few script calls, each of one kind. One player's requests stay in their order,
    and so do all enqueues; an enqueue and a dequeue of two players do not depend on each other.
    """
    runs: dict[tuple[int, RequestKind], list[Heard]] = {}
    last: dict[str, tuple[int, RequestKind]] = {}
    latest: Counter[RequestKind] = Counter()
    together = _together(batch)
    for heard in batch:
        kind, player = heard.request.kind, heard.request.player_id
        player = together.get(player, player)
        turn, before = last.get(player, (0, kind))
        latest[kind] = max(latest[kind], turn + (before is not kind))
        last[player] = (latest[kind], kind)
        runs.setdefault(last[player], []).append(heard)
    return [(kind, runs[turn, kind]) for turn, kind in sorted(runs)]


def _together(batch: Sequence[Heard]) -> Mapping[str, str]:
    """Player or party -> one of those whom requests of this batch want together: whoever of them
    leaves takes the others out, so that their requests depend on each other.
    """
    of: dict[str, str] = {}
    for heard in batch:
        if not heard.request.party:
            continue
        name = heard.request.player_id
        ids = [name, *(each.player_id for each in heard.request.party)]
        known = {of[each] for each in ids if each in of}
        of |= dict.fromkeys([*ids, *(each for each, one in of.items() if one in known)], name)
    return of


def place_of(heard: Heard) -> tuple[str, str]:
    """The stream and the entry that the request came from."""
    entry = heard.entry
    return (entry.stream, entry.entry_id) if entry else ("", "")


def identified(request: Request, entry: Entry) -> Request:
    """A request without an id of its own is known by its place in the stream."""
    if request.fingerprint:
        return request
    place = f"{entry.stream} {entry.entry_id}"
    name = fingerprint(request.kind, place, request.player_id, request.game_mode)
    return replace(request, fingerprint=name)


def traits_of(request: Request, mode: GameMode) -> Traits:
    """What strategies read of the players who want to come. Raises WireError."""
    try:
        if request.party:
            members = members_of_text(request.player_id, request.metadata.encode())
            return traits_of_party(members, mode)
        return traits_in(request.metadata, mode)
    except BadMetadataError as error:
        raise WireError(
            error.code,
            str(error),
            player_id=request.player_id,
            pod_id=request.pod_id,
            game_mode=mode.name,
            party=request.party,
            because_of=error.player_id,
        ) from None


def refuse_hopeless(request: Request, traits: Traits, mode: GameMode, never: Never) -> None:
    """Raises WireError where no match can ever have these players."""
    ticket = Ticket(
        ticket_id=request.ticket_id,
        members=request.members,
        enqueued_at=0.0,
        metadata_sum="",
        values=traits.values,
    )
    if why := never(ticket):
        raise WireError(
            ErrorCode.NEVER_MATCHED,
            f"{mode.name}: {why}",
            player_id=request.player_id,
            pod_id=request.pod_id,
            game_mode=mode.name,
            party=request.party,
        )


def queued_ticket(queued: Outcome) -> Ticket:
    """The ticket that now stands in the queue."""
    request = queued.heard.request
    return Ticket(
        ticket_id=request.ticket_id,
        members=request.members,
        enqueued_at=float(queued.detail),
        metadata_sum=metadata_sum(request.metadata.encode()),
        rating=queued.heard.traits.rating,
        values=queued.heard.traits.values,
    )
