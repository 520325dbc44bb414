"""`python -m bench.arrivals`: players who ask at a steady rate, each at a random moment."""

from __future__ import annotations

import random
import selectors
import sys
import time

from bench.players import body
from bench.raw import Line
from crowd.wire import packed

_STEP_SECONDS = 0.0005
# Requests are made of ready pieces: this process shares the cores with those that are measured.
_NAME, _SENT = b"@name@", b"987654321"
_BODY = body(_NAME.decode(), sent=int(_SENT)).encode()
_STREAM = packed("XADD", "match:requests", "*", "kind", "enqueue", "body", "")[:-6]
_PUBSUB = packed("PUBLISH", "match:enqueue:request", "")[:-6]
"""Commands up to their last word, the request."""


def run(port: int, *, stream: bool, rate: float, seconds: float, seed: int) -> int:
    """Sends requests, by stream or by Pub/Sub; returns how many. They say when they were sent."""
    rng, line, sent = random.Random(seed), Line(port), 0
    select = selectors.DefaultSelector()
    select.register(line.socket, selectors.EVENT_READ)
    begun = due = time.monotonic()
    while (now := time.monotonic()) < begun + seconds:
        out: list[bytes] = []
        while due < now:
            due += rng.expovariate(rate)
            out.append(_request(f"a{seed}-{sent + len(out)}", stream=stream))
        if out:
            line.send(b"".join(out))
            sent += len(out)
        if select.select(max(_STEP_SECONDS, due - time.monotonic())):
            line.ready()
    return sent


def _request(player: str, *, stream: bool) -> bytes:
    name, sent = player.encode(), b"%d" % time.monotonic_ns()
    text = _BODY.replace(_NAME, name).replace(_SENT, sent)
    return b"%b$%d\r\n%b\r\n" % (_STREAM if stream else _PUBSUB, len(text), text)


if __name__ == "__main__":
    port, way, rate, seconds = sys.argv[1:]
    count = run(int(port), stream=way == "stream", rate=float(rate), seconds=float(seconds), seed=1)
    print(count, flush=True)
