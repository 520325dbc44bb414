"""What a pod is told about a request, decided from what came of it."""

from __future__ import annotations

from matchkeeper.handoff.notices import Notice, plain, refusal
from matchkeeper.store.asked import Reply
from matchkeeper.store.tickets import Outcome
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.requests import RequestKind

_REFUSALS = {
    Reply.REQUEST_EXPIRED: (
        ErrorCode.REQUEST_EXPIRED,
        "This request was not done: it is too old. Send it again if the player still wants it",
    ),
    Reply.ALREADY_IN_QUEUE: (ErrorCode.ALREADY_IN_QUEUE, "The player waits in this queue already"),
    Reply.IN_OTHER_QUEUE: (ErrorCode.IN_OTHER_QUEUE, "The player waits in queue {detail}"),
    Reply.MODE_DRAINED: (
        ErrorCode.MODE_DRAINED,
        "This game mode takes no new players: an operator has drained it",
    ),
    Reply.QUEUE_FULL: (ErrorCode.QUEUE_FULL, "As many players wait as this queue may hold"),
    Reply.NOT_IN_QUEUE: (ErrorCode.NOT_IN_QUEUE, "The player does not wait in this queue"),
}


def told(outcome: Outcome) -> Notice | None:
    """The answer to a request; None where another server gives it, or has given a newer one."""
    request, reply, detail = outcome.heard.request, outcome.reply, outcome.detail
    if reply in (Reply.DUPLICATE, Reply.OVERTAKEN):
        return None
    if reply in (Reply.QUEUED, Reply.DEQUEUED, Reply.AGAIN):
        if request.kind is RequestKind.ENQUEUE:
            return plain(request.pod_id, request.player_id, answers.ENQUEUED)
        return plain(detail or request.pod_id, request.player_id, answers.DEQUEUED)
    pod_id = request.pod_id
    if reply is Reply.REQUEST_EXPIRED:
        pod_id = pod_id or detail or None
    code, message = _REFUSALS.get(reply) or _pending(request.kind, detail)
    return refusal(pod_id, request.player_id, code, message.format(detail=detail))


def _pending(kind: RequestKind, detail: str) -> tuple[ErrorCode, str]:
    if kind is RequestKind.ENQUEUE:
        tag, _, match_id = detail.partition(" ")
        return ErrorCode.MATCH_PENDING, f"The player is in pending match {match_id} of {tag}"
    return (
        ErrorCode.MATCH_PENDING,
        f"The player is in pending match {detail}; if it falls through, the player leaves",
    )
