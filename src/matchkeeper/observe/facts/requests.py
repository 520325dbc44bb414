"""Facts of requests: what is asked for, what is done, what is answered."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.mode import GameMode
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts.fact import DEBUG, ERROR, INFO, LOOK_AT_REDIS, WARNING, fact, logged
from matchkeeper.store.tickets import Heard, Outcome


class RequestFacts:
    """What happens to requests."""

    @fact
    def requests_heard(self, *, kind: str, via: str, count: int) -> None:
        """So many requests came by `pubsub` or `stream`."""

    @fact
    def enqueued(
        self, *, mode: GameMode, players: int, outcomes: Sequence[Outcome], seconds: float
    ) -> None:
        """Enqueue requests were done: so many players were put into the queue. It took so long."""

    @fact
    def not_enqueued(
        self, *, mode: GameMode, heard: Sequence[Heard], error: StoreError, seconds: float
    ) -> None:
        """Redis did not do enqueue requests; it took so long."""

    @fact
    def dequeued(self, *, mode: str, players: int) -> None:
        """They have left the queue, as they asked."""

    @logged(
        INFO,
        "{players} players were in the index of parties, and their party is not there any more",
        "Nothing: they are forgotten there. Somebody took their tickets out of Redis by hand.",
    )
    def parties_swept(self, *, players: int) -> None:
        """The index held nobody back: it counts only while the ticket stands."""

    @fact
    def answered(self, *, result_type: str, count: int) -> None:
        """So many answers went to pods."""

    @fact
    def status_told(self, *, state: str, count: int) -> None:
        """So many players were sought by a pod, or asked for again, and are in this state."""

    @fact
    def refused(self, *, mode: str, code: str, count: int) -> None:
        """So many requests were refused; `mode` is empty where no known one was named."""

    @logged(
        WARNING,
        "Request refused ({code}): {reason}",
        "Look at the game server that sent it; the code is explained in the wire reference.",
        once_per=("code",),
    )
    def request_refused(self, *, code: str, reason: str, player_id: str, pod_id: str) -> None:
        """A message could not be used. Logged once per code and interval."""

    @logged(
        DEBUG,
        "{player_id} asked twice for {mode}",
        "If there are many, two clients may share one identity.",
    )
    def duplicate_request(self, *, mode: str, player_id: str) -> None:
        """The same request came twice and counted once."""

    @fact
    def done_by_others(self, *, mode: str) -> None:
        """Another server has done the same request."""

    @logged(
        INFO,
        "A late {request} of {player_id} for {mode} does nothing",
        "A few after a crash are normal. If many come, servers hang; see `requests_taken_over`.",
    )
    def request_overtaken(self, *, request: str, mode: str, player_id: str) -> None:
        """It came again, or from a stopped server. What came for the player since holds."""

    @logged(
        WARNING,
        "The {request} of {player_id} for {mode} is too old to be done",
        "Was Redis away, or every server, or that game server, for longer than "
        "`retry.request_memory_seconds`?",
    )
    def request_expired(self, *, request: str, mode: str, player_id: str) -> None:
        """A server died with it in hand, and no other took it over while requests are remembered.
        Or it repeats a request from before that. The pod is told `request_expired`.
        """

    @logged(WARNING, "{count} request(s) not done: {error}", LOOK_AT_REDIS)
    def requests_failed(self, *, count: int, error: str) -> None:
        """Redis did not do its work. Requests in streams are tried again; senders of others were
        told so.
        """

    @logged(INFO, "Took over {count} request(s) of a server that is gone")
    def requests_taken_over(self, *, count: int) -> None:
        """Another server died before it had done them."""

    @logged(
        ERROR,
        "The ids of the request stream were used up: a new one with {count} request(s) is in place",
        "Somebody wrote an entry with an id of their own. Look at who may write to Redis.",
    )
    def stream_replaced(self, *, count: int) -> None:
        """Redis would have taken no more requests. All that waited are done."""

    @logged(INFO, "Handed {count} request(s) on to servers that know their mode", once_per=())
    def requests_handed_on(self, *, count: int) -> None:
        """Another server has a mode that this one has not, as in a rollout."""

    @logged(
        ERROR,
        "Set aside the {request} request of {player_id} for {mode}: {error}",
        "Mend what the error names, then `matchkeeper dead-letters requeue`.",
    )
    def request_buried(self, *, request: str, mode: str, player_id: str, error: str) -> None:
        """It failed by itself again and again. It is a dead letter now; all others are done."""

    @logged(WARNING, "{count} answer(s) not sent: {error}", LOOK_AT_REDIS)
    def answers_lost(self, *, count: int, error: str) -> None:
        """The requests were done, but the pods do not know. Players who ask again are told."""

    @logged(
        ERROR,
        "More requests on {channel} than can be handled; dropping beyond {limit}",
        "Use the streams, which wait; add a server; look at Redis.",
        once_per=("channel",),
    )
    def backlog_full(self, *, channel: str, limit: int) -> None:
        """Requests by Pub/Sub are lost while this lasts."""
