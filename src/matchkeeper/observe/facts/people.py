"""Facts for the people who run servers: settings, alerts, traces, the log, HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from matchkeeper.domain.agreement import ModeState
from matchkeeper.observe.facts.fact import ERROR, INFO, WARNING, Fields, fact, logged


def _differences(differences: Sequence[str]) -> Iterator[Fields]:
    yield {"differences": "; ".join(differences)}


def _held(mode: str, states: Set[ModeState]) -> Iterator[Fields]:
    yield {"mode": mode, "states": " and ".join(sorted(states))}


class PeopleFacts:
    """What concerns those who look after the server."""

    @logged(
        WARNING,
        "Servers run different settings: {differences}",
        "Nothing during a rollout; else give all servers the same settings.",
        told=_differences,
    )
    def settings_differ(self, *, differences: Sequence[str]) -> None:
        """That is so in a rollout. A mode that differs is matched only by the servers with the
        newest settings.
        """

    @logged(INFO, "All servers run the same settings again")
    def settings_agree(self) -> None:
        """The rollout is over."""

    @logged(
        WARNING,
        "{mode} is {states} by an operator",
        "`matchkeeper queue resume` ends it.",
        told=_held,
    )
    def mode_held(self, *, mode: str, states: Set[ModeState]) -> None:
        """Drained: new players are refused. Paused: nobody is matched."""

    @logged(INFO, "{mode} goes on as usual")
    def mode_resumed(self, *, mode: str) -> None:
        """An operator resumed the mode."""

    @logged(INFO, "Alert {name} ({action}) sent to {channel}")
    def alert_sent(self, *, name: str, action: str, channel: str) -> None: ...

    @logged(
        ERROR,
        "Alert {name} ({action}) not sent to {channel}: {error}",
        "Check the channel with `matchkeeper doctor --send-test-alert`.",
    )
    def alert_failed(self, *, name: str, action: str, channel: str, error: str) -> None:
        """The people on call may not know."""

    @logged(
        ERROR,
        "Alert {name} ({action}) dropped: too many wait to be sent",
        "Check them with `matchkeeper doctor --send-test-alert`.",
    )
    def alert_dropped(self, *, name: str, action: str) -> None:
        """The alert channels hang."""

    @logged(
        WARNING,
        "Could not {step} the traces of {count} player(s): {error}",
        "Look at Redis; if it says NOPERM, give the user the keys `trace:{{*}}:*`.",
        once_per=("step",),
    )
    def traces_lost(self, *, count: int, step: str, error: str) -> None:
        """Redis did not do what only traces need. Players are matched all the same; their traces
        break off.
        """

    @logged(
        WARNING,
        "{count} span(s) not sent: {error}",
        "Look at the collector and at `tracing.endpoint`.",
        once_per=(),
    )
    def spans_not_sent(self, *, count: int, error: str) -> None:
        """The collector of traces does not take them. Nothing else is touched."""

    @fact
    def spans(self, *, outcome: str, count: int) -> None:
        """Spans were made, sent, or failed to be sent. From any thread."""

    @logged(
        WARNING,
        "{count} log line(s) dropped",
        "Look at what takes the log; log less (`logging.level`).",
    )
    def log_lines_dropped(self, *, count: int) -> None:
        """The reader of the log was too slow, or its disk is full. The server does not wait for
        it.
        """

    @logged(
        WARNING,
        "Only {connections} HTTP connections: the process may open {limit} files",
        "Raise the limit (`ulimit -n`, `LimitNOFILE=`), or lower `server.max_connections`.",
    )
    def few_descriptors(self, *, limit: int, connections: int) -> None:
        """The rest is kept for Redis, so that HTTP cannot starve matching."""

    @logged(
        WARNING,
        "Closed an HTTP connection: {why}",
        "If there are many, somebody holds connections on purpose, or a proxy keeps too many. Let "
        "only those in who must (`deploy/kubernetes/networkpolicy.yaml`).",
        once_per=("why",),
    )
    def http_closed(self, *, why: str) -> None:
        """`slow_request`: it did not send its request in time. `slow_reader`: it took nothing of
        the answer. `crowded`: it had asked for nothing, and others came. Logged once per reason
        and interval.
        """
