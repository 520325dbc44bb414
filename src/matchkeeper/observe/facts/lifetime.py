"""Facts of a server's life: its start, its loops, its end."""

from __future__ import annotations

from collections.abc import Iterator

from matchkeeper.observe.facts.fact import ERROR, INFO, LOOK_AT_REDIS, WARNING, Fields, fact, logged


def _with_traceback(loop: str, error: Exception) -> Iterator[Fields]:
    yield {"loop": loop, "error": repr(error), "exc_info": error}


class LifetimeFacts:
    """What happens to the server itself."""

    @logged(INFO, "Matchkeeper {version} serves {modes} on {redis}, HTTP on {http}")
    def started(self, *, version: str, modes: str, redis: str, http: str) -> None:
        """The server is up."""

    @logged(INFO, "The state in Redis has form {form}, written by Matchkeeper {by}")
    def form_known(self, *, form: int, by: str) -> None:
        """The server can work with what stands in Redis."""

    @logged(ERROR, "Stopping. {error}. {mend}", "See [Versions](versions.md).")
    def form_foreign(self, *, error: str, mend: str) -> None:
        """The state in Redis is of a form that this version cannot work with."""

    @logged(
        INFO,
        "No redis.url is set: embedded Valkey on {redis}, data in {folder}",
        "In production, set `redis.url`.",
    )
    def embedded_started(self, *, redis: str, folder: str) -> None:
        """The server brought its own Valkey, fit for development."""

    @logged(INFO, "Listening on {channels}")
    def subscribed(self, *, channels: str) -> None:
        """Requests by Pub/Sub are heard from now on; logged again after each reconnect."""

    @logged(INFO, "This server does what is heard on Pub/Sub (lease {epoch})")
    def hearing(self, *, epoch: int) -> None:
        """One of several servers does so. The others listen, too, and take over when it stops."""

    @logged(
        INFO,
        "This server no longer does what is heard on Pub/Sub (lease {epoch})",
        "Nothing, unless it happens often: then look at the CPU that this server gets.",
    )
    def hearing_lost(self, *, epoch: int) -> None:
        """It was frozen, slow or cut off for longer than a second, or gave the lease up. Another
        server goes on where it stopped.
        """

    @fact
    def others_hear(self) -> None:
        """What this one hears on Pub/Sub does not count."""

    @logged(INFO, "Stopping: no new rounds, no new requests, {seconds} s to end what runs")
    def shutdown_started(self, *, seconds: float) -> None:
        """SIGTERM, SIGINT or SIGHUP came."""

    @logged(WARNING, "Stopping at once")
    def shutdown_at_once(self) -> None:
        """A second signal came. Nobody is lost by it."""

    @logged(
        WARNING,
        "Cut off at the deadline: {tasks}",
        "If it happens often, raise `server.shutdown_deadline_seconds`.",
    )
    def shutdown_cut_off(self, *, tasks: str) -> None:
        """Something did not end in time. Nobody is lost by it."""

    @logged(INFO, "Stopped")
    def shutdown_done(self) -> None:
        """The server is down."""

    @logged(WARNING, "{loop} interrupted: {error}", LOOK_AT_REDIS, once_per=("loop",))
    def loop_interrupted(self, *, loop: str, error: str) -> None:
        """A part of the server lost Redis and starts again by itself."""

    @logged(ERROR, "{loop} failed: {error}", "Report it with the traceback.", told=_with_traceback)
    def loop_failed(self, *, loop: str, error: Exception) -> None:
        """A defect. The part starts again by itself, nobody is lost."""

    @fact
    def loop_lagged(self, *, seconds: float) -> None:
        """The event loop came so late to what was due."""
