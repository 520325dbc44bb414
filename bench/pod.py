"""`python -m bench.pod`: a process that plays the game servers, as fast as it can.

It hears every battle request and every answer, and writes claims and confirms. When its standard
input closes, it goes on until nothing more comes, and then prints what it saw as JSON.
"""

from __future__ import annotations

import json
import re
import selectors
import sys
import time
from array import array
from typing import Any

from bench.raw import Line
from crowd.wire import packed

_MATCH = re.compile(rb'"match_id":"([^"]+)"')
_SENT = re.compile(rb'"sent":(\d+)')
_HEARTBEAT_SECONDS = 2.0
_QUIET_SECONDS = 0.5
_ID = b"\x00"
"""Stands for a match id, as often as that has bytes."""
_SLOT = "%"
"""The same in JSON, which holds no such byte."""
_CAME = re.compile(
    rb'"match_id":"([^"]+)","result_type":\{"Handoff":\{"kind":"(\w+)".*"reply":"(\w+)"'
)


class Pod:
    """Hears over one connection, speaks over another."""

    def __init__(self, port: int, tag: str, *, claims: bool) -> None:
        self._claims = claims
        self._tag = tag
        self._hears, self._speaks = Line(port), Line(port)
        self._beat = packed("PUBLISH", "match:handoff:request", _body("heartbeat"))
        self._made: dict[tuple[str, int], bytes] = {}
        self._out: list[bytes] = []
        self.offers = self.started = self.queued = self.found = self.other = 0
        self.first = self.last = 0.0
        self.latencies = array("d")
        """Seconds from a player's request to the battle request."""
        self.claim_seconds = array("d")
        """Seconds from a battle request to the answer that it is claimed."""
        self._offered_at: dict[bytes, float] = {}

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
                self._out.append(self._beat)
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
                    self._written()
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
            "claims": _quantiles(self.claim_seconds),
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
                self._offered_at[found[1]] = now
                self._say("claim", found[1])

    def _told(self, payload: bytes) -> None:
        if b'"EnQueued"' in payload:
            self.queued += 1
        elif b'"MatchFound"' in payload:
            self.found += 1
        elif came := _CAME.search(payload):
            self._answered(*came.groups())
        else:
            self.other += 1

    def _answered(self, match_id: bytes, kind: bytes, reply: bytes) -> None:
        if (kind, reply) == (b"claim", b"claimed"):
            self.claim_seconds.append(time.monotonic() - self._offered_at.pop(match_id))
            self._say("confirm", match_id)
        elif (kind, reply) == (b"confirm", b"started"):
            self.started += 1
        else:
            self.other += 1

    def _say(self, kind: str, match_id: bytes) -> None:
        """Writes a message about a match; what is sent is made once for all ids of one length."""
        made = self._made.get((kind, len(match_id)))
        if made is None:
            id_ = _ID * len(match_id)
            about = {
                "game_mode": self._tag,
                "match_id": _SLOT,
                "epoch": 1,
                "token": f"{kind[:2]}{_SLOT}",
            }
            body = _body(kind, **about).replace(_SLOT.encode(), id_)
            made = packed(
                "XADD", "match:requests", "NOMKSTREAM", "*", "kind", "handoff", "body", body
            )
            self._made[kind, len(match_id)] = made
        self._out.append(made.replace(_ID * len(match_id), match_id))

    def _written(self) -> None:
        for reply in self._speaks.ready():
            if isinstance(reply, Exception):
                raise reply

    def _flush(self) -> None:
        if self._out:
            self._speaks.send(b"".join(self._out))
            self._out.clear()


def _body(kind: str, **about: object) -> bytes:
    return json.dumps({"kind": kind, "pod_id": "pod", **about}, separators=(",", ":")).encode()


def _quantiles(values: array[float]) -> list[float]:
    """A thousand and one, from the smallest value to the largest; none of no values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return [ordered[round(last * part / 1000)] for part in range(1001)] if ordered else []


if __name__ == "__main__":
    pod = Pod(int(sys.argv[1]), sys.argv[2], claims=sys.argv[3] == "claim")
    pod.run()
    print(json.dumps(pod.report()), flush=True)
