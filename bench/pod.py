"""`python -m bench.pod`: a process that plays the game servers, as fast as it can.

It hears every battle request and every answer, claims and confirms. When its standard input closes,
it goes on until nothing more comes, and then prints what it saw as JSON.
"""

from __future__ import annotations

import json
import re
import selectors
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.raw import Line
from crowd.wire import packed

_SCRIPTS = Path(__file__).parents[1] / "docs" / "scripts"
_MATCH = re.compile(rb'"match_id":"([^"]+)"')
_SENT = re.compile(rb'"sent":(\d+)')
_HEARTBEAT_SECONDS = 2.0
_QUIET_SECONDS = 0.5
_ID = b"\x00"
"""Stands for a match id, as often as that has bytes."""
_Argument = str | bytes | float


class Pod:
    """Hears over one connection, speaks over another."""

    def __init__(self, port: int, tag: str, *, claims: bool) -> None:
        self._claims = claims
        self._tag = tag
        self._hears, self._speaks = Line(port), Line(port)
        scripts = {name: (_SCRIPTS / f"{name}.lua").read_text() for name in ("claim", "confirm")}
        self._sha = {
            name: self._speaks.ask("SCRIPT", "LOAD", text) for name, text in scripts.items()
        }
        self._beat = packed(
            *("EVAL", (_SCRIPTS / "heartbeat.lua").read_text(), 2, "pods", "clock", "pod", "here")
        )
        self._made: dict[tuple[str, int], bytes] = {}
        self._asked: list[tuple[str, bytes]] = []
        self._out: list[bytes] = []
        self.offers = self.started = self.queued = self.found = self.other = 0
        self.first = self.last = 0.0
        self.latencies = array("d")
        """Seconds from a player's request to the battle request."""

    def run(self) -> None:
        """Until standard input is closed and nothing more comes."""
        self._hears.send(packed("SUBSCRIBE", "battle:request", "pod:pod:match_result"))
        self._hears.replies(2)
        print("listening", flush=True)
        select = selectors.DefaultSelector()
        for line in (self._hears.socket, self._speaks.socket, sys.stdin):
            select.register(line, selectors.EVENT_READ)
        beat_at, ending = 0.0, False
        while True:
            if time.monotonic() > beat_at:
                beat_at = time.monotonic() + _HEARTBEAT_SECONDS
                self._ask("heartbeat", b"", self._beat)
                self._flush()
            found = select.select(_QUIET_SECONDS if ending else _HEARTBEAT_SECONDS)
            if ending and not found:
                return
            for key, _ in found:
                if key.fileobj is sys.stdin:
                    ending = True
                    select.unregister(sys.stdin)
                elif key.fileobj is self._hears.socket:
                    self._hear()
                else:
                    self._answered()
            self._flush()

    def report(self) -> dict[str, Any]:
        """What it saw."""
        return {
            "offers": self.offers,
            "started": self.started,
            "queued": self.queued,
            "found": self.found,
            "other": self.other,
            "first": self.first,
            "last": self.last,
            "latencies": _quantiles(self.latencies),
        }

    def _hear(self) -> None:
        pushes = self._hears.ready()
        now = time.monotonic()
        self.first = self.first or now
        self.last = now
        now_ns = time.monotonic_ns()
        for _, channel, payload in pushes:
            if channel != b"battle:request":
                self._told(payload)
                continue
            self.offers += 1
            self.latencies.extend((now_ns - int(at)) / 1e9 for at in _SENT.findall(payload))
            if self._claims:
                found = _MATCH.search(payload)
                assert found is not None  # noqa: S101  # every offer has one
                self._claim(found[1])

    def _told(self, payload: bytes) -> None:
        if b'"EnQueued"' in payload:
            self.queued += 1
        elif b'"MatchFound"' in payload:
            self.found += 1
        else:
            self.other += 1

    def _claim(self, match_id: bytes) -> None:
        kinds = ("pending", "history", "claimers")
        names = [*(f"{kind}:{{{self._tag}}}" for kind in kinds), "clock"]
        self._call("claim", match_id, names, (_ID, 1, "pod", _ID))

    def _confirm(self, match_id: bytes) -> None:
        kinds = ("pending", "matched", "leaving", "history", "claimers")
        names = [*(f"{kind}:{{{self._tag}}}" for kind in kinds), "clock"]
        self._call("confirm", match_id, names, (_ID, 1, "pod", _ID))

    def _call(
        self, script: str, match_id: bytes, names: Sequence[str], args: Sequence[_Argument]
    ) -> None:
        """Calls a script on a match; what is sent is made once for all ids of one length."""
        made = self._made.get((script, len(match_id)))
        if made is None:
            id_ = _ID * len(match_id)
            key = b"match:{%b}:%b" % (self._tag.encode(), id_)
            own = [id_ if arg == _ID else arg for arg in args]
            made = packed("EVALSHA", self._sha[script], 1 + len(names), key, *names, *own)
            self._made[script, len(match_id)] = made
        self._ask(script, match_id, made.replace(_ID * len(match_id), match_id))

    def _ask(self, what: str, match_id: bytes, command: bytes) -> None:
        self._asked.append((what, match_id))
        self._out.append(command)

    def _answered(self) -> None:
        replies = self._speaks.ready()
        done, self._asked = self._asked[: len(replies)], self._asked[len(replies) :]
        for (what, match_id), reply in zip(done, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            if what == "claim" and reply[0] == b"claimed":
                self._confirm(match_id)
            elif what == "confirm" and reply[0] == b"started":
                self.started += 1
                self.last = time.monotonic()

    def _flush(self) -> None:
        if self._out:
            self._speaks.send(b"".join(self._out))
            self._out.clear()


def _quantiles(values: array[float]) -> list[float]:
    """A thousand and one, from the smallest value to the largest; none of no values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return [ordered[round(last * part / 1000)] for part in range(1001)] if ordered else []


if __name__ == "__main__":
    pod = Pod(int(sys.argv[1]), sys.argv[2], claims=sys.argv[3] == "claim")
    pod.run()
    print(json.dumps(pod.report()), flush=True)
