"""What stands in Redis, in one atomic look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from proof.chaos.wire import Client, WireError
from proof.judge import State

_LOOK = """
local out = {queues = {}, metadata = {}, matched = {}, pending = {}, matches = {}, started = {},
  dead = {}, requests = 0}
local function pairs_of(list)
  local found = {}
  for i = 1, #list, 2 do found[#found + 1] = {list[i], list[i + 1]} end
  return found
end
for _, tag in ipairs(ARGV) do
  local key = '{' .. tag .. '}'
  out.queues[tag] = pairs_of(redis.call('ZRANGE', 'queue:' .. key, 0, -1, 'WITHSCORES'))
  out.metadata[tag] = redis.call('HKEYS', 'metadata:' .. key)
  out.matched[tag] = pairs_of(redis.call('HGETALL', 'matched:' .. key))
  out.pending[tag] = pairs_of(redis.call('ZRANGE', 'pending:' .. key, 0, -1, 'WITHSCORES'))
  out.requests = out.requests + redis.call('XLEN', 'match:requests:' .. key)
  for _, name in ipairs(redis.call('KEYS', 'match:' .. key .. ':*')) do
    local match = redis.call('HMGET', name, 'state', 'players')
    local place = match[1] == 'started' and out.started or out.matches
    if match[1] ~= 'given_back' then
      place[#place + 1] = {string.sub(name, #key + 8), match[1], match[2] or ''}
    end
  end
  for _, entry in ipairs(redis.call('XRANGE', 'dead:' .. key, '-', '+')) do
    out.dead[#out.dead + 1] = entry[2][2]
  end
end
return cjson.encode(out)
"""


class Looker:
    """Looks again and again; of the started matches each look tells those that are new."""

    def __init__(self, tags: Sequence[str], *, replicas: int) -> None:
        self._tags = tuple(tags)
        self._replicas = replicas
        self._started: set[str] = set()
        self.requests = 0
        """How many waited in the streams at the last look."""

    async def look(self, port: int) -> State | None:
        """What stands there and can be relied on; None when that is not to be had now."""
        client = Client(port)
        try:
            text, _, reached = await client.call(
                ("EVAL", _LOOK, 0, *self._tags),
                # Behind a write, so that it waits for all that was seen.
                ("SET", "chaos:looked", "1"),
                ("WAIT", self._replicas, 500),
            )
        except WireError:
            return None
        finally:
            client.close()
        if reached < self._replicas:
            return None
        seen = msgspec.json.decode(text)
        self.requests = seen["requests"]
        return self._state(seen)

    def _state(self, seen: Any) -> State:
        started = {match: tuple(who.split()) for match, _, who in seen["started"]}
        new = {match: who for match, who in started.items() if match not in self._started}
        self._started.update(new)
        return State(
            queues={tag: {p: float(s) for p, s in seen["queues"][tag]} for tag in self._tags},
            metadata={tag: tuple(sorted(seen["metadata"][tag])) for tag in self._tags},
            matched={tag: dict(sorted(seen["matched"][tag])) for tag in self._tags},
            pending={tag: {m: float(d) for m, d in seen["pending"][tag]} for tag in self._tags},
            matches={
                match: (state, tuple(who.split())) for match, state, who in sorted(seen["matches"])
            },
            started=new,
            dead=tuple(seen["dead"]),
        )
