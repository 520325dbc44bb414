"""What stands in Redis, in one atomic look, as an operator could see it with plain commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from crowd.history import State

SCRIPT = """
local out = {queues = {}, metadata = {}, matched = {}, pending = {}, matches = {}, started = {},
  dead = {}, requests = 0}
local function pairs_of(list)
  local found = {}
  for i = 1, #list, 2 do found[#found + 1] = {list[i], list[i + 1]} end
  return found
end
local realm = ARGV[1] ~= '' and '{' .. ARGV[1] .. '}' or nil
for i = 2, #ARGV do
  local tag = ARGV[i]
  local key = realm and realm .. ':' .. tag or '{' .. tag .. '}'
  out.queues[tag] = pairs_of(redis.call('ZRANGE', 'queue:' .. key, 0, -1, 'WITHSCORES'))
  out.metadata[tag] = redis.call('HKEYS', 'metadata:' .. key)
  out.matched[tag] = pairs_of(redis.call('HGETALL', 'matched:' .. key))
  out.pending[tag] = pairs_of(redis.call('ZRANGE', 'pending:' .. key, 0, -1, 'WITHSCORES'))
  for _, name in ipairs(redis.call('KEYS', 'match:' .. key .. ':*')) do
    local id = string.sub(name, #key + 8)
    local match = redis.call('HMGET', name, 'state', 'ids')
    match[2] = match[2] and table.concat(cmsgpack.unpack(match[2]), ' ')
    if match[1] == 'started' then
      out.started[#out.started + 1] = {id, match[2] or ''}
    elseif match[1] ~= 'given_back' and redis.call('HEXISTS', name, 'tickets') == 1 then
      out.matches[#out.matches + 1] = {id, match[1], match[2] or ''}
    end
  end
  for _, entry in ipairs(redis.call('XRANGE', 'dead:' .. key, '-', '+')) do
    out.dead[#out.dead + 1] = entry[2][2]
  end
end
for _, stream in ipairs({'match:requests', 'heard'}) do
  out.requests = out.requests + redis.call('XLEN', realm and stream .. ':' .. realm or stream)
end
return cjson.encode(out)
"""
"""ARGV: the realm, or an empty text, and the modes in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen."""

    state: State
    requests: int
    """How many wait in the streams."""


def read(reply: bytes, tags: Sequence[str]) -> Look:
    """The reply of the script, in an order of its own."""
    seen = msgspec.json.decode(reply)
    state = State(
        queues={tag: {player: float(s) for player, s in seen["queues"][tag]} for tag in tags},
        metadata={tag: tuple(sorted(seen["metadata"][tag])) for tag in tags},
        matched={tag: dict(sorted(seen["matched"][tag])) for tag in tags},
        pending={tag: {match: float(due) for match, due in seen["pending"][tag]} for tag in tags},
        matches={match: (name, tuple(who.split())) for match, name, who in sorted(seen["matches"])},
        started={match: tuple(who.split()) for match, who in sorted(seen["started"])},
        dead=tuple(seen["dead"]),
    )
    return Look(state=state, requests=seen["requests"])
