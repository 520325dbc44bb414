"""What stands in Redis, in one atomic look, as an operator could see it with plain commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from crowd.history import State

SCRIPT = """
local out = {queues = {}, metadata = {}, matched = {}, pending = {}, matches = {}, started = {},
  dead = {}, parties = {}, of_started = {}, index = {}, requests = 0}
local function pairs_of(list)
  local found = {}
  for i = 1, #list, 2 do found[#found + 1] = {list[i], list[i + 1]} end
  return found
end
-- Of a party its players; else nothing.
local function players_in(text)
  local is_good, fields = pcall(cjson.decode, text)
  if not is_good or type(fields) ~= 'table' or type(fields.players) ~= 'table' then return nil end
  local found = {}
  for _, each in ipairs(fields.players) do found[#found + 1] = each.player_id end
  return table.concat(found, ' ')
end
local realm = ARGV[1] ~= '' and '{' .. ARGV[1] .. '}' or nil
for i = 2, #ARGV do
  local tag = ARGV[i]
  local key = realm and realm .. ':' .. tag or '{' .. tag .. '}'
  out.queues[tag] = pairs_of(redis.call('ZRANGE', 'queue:' .. key, 0, -1, 'WITHSCORES'))
  out.metadata[tag] = {}
  for _, pair in ipairs(pairs_of(redis.call('HGETALL', 'metadata:' .. key))) do
    local players = string.find(pair[2], '"players"', 1, true) and players_in(pair[2])
    if players then out.parties[#out.parties + 1] = {tag .. ' ' .. pair[1], players} end
    table.insert(out.metadata[tag], pair[1])
  end
  out.matched[tag] = pairs_of(redis.call('HGETALL', 'matched:' .. key))
  out.pending[tag] = pairs_of(redis.call('ZRANGE', 'pending:' .. key, 0, -1, 'WITHSCORES'))
  for _, name in ipairs(redis.call('KEYS', 'match:' .. key .. ':*')) do
    local id = string.sub(name, #key + 8)
    local match = redis.call('HMGET', name, 'state', 'ids')
    local ids, together = nil, nil
    if match[2] then ids, together = cmsgpack.unpack(match[2]) end
    match[2] = ids and table.concat(ids, ' ')
    local is_pending = match[1] ~= 'started' and redis.call('HEXISTS', name, 'tickets') == 1
    for _, each in ipairs(together or {}) do
      local into = is_pending and out.parties or out.of_started
      into[#into + 1] = {each[1], table.concat(each[2], ' '), id}
    end
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
out.index = pairs_of(redis.call('HGETALL', realm and 'parties:' .. realm or 'parties'))
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
    parties = {place: tuple(who.split()) for place, who, *_ in seen["parties"]}
    # A started match has its players, whatever its parties do since.
    started = {(match, place): tuple(who.split()) for place, who, match in seen["of_started"]}

    def players(tag: str, tickets: Iterable[str], match: str = "") -> Iterator[tuple[str, str]]:
        """(ticket, player) of tickets in a queue."""
        for ticket in tickets:
            place = f"{tag} {ticket}"
            together = started.get((match, place)) or parties.get(place) or (ticket,)
            yield from ((ticket, player) for player in together)

    def of_match(match: str, tickets: str) -> tuple[str, ...]:
        tag = tag_of.get(match, "")
        return tuple(player for _, player in players(tag, tickets.split(), match))

    tag_of = {match: tag for tag in tags for _, match in seen["matched"][tag]}
    tag_of |= {match: place.split()[0] for match, place in started}
    queues = {tag: {ticket: float(s) for ticket, s in seen["queues"][tag]} for tag in tags}
    matched = {tag: dict(sorted(seen["matched"][tag])) for tag in tags}
    state = State(
        queues={
            tag: {player: queues[tag][ticket] for ticket, player in players(tag, queues[tag])}
            for tag in tags
        },
        metadata={
            tag: tuple(player for _, player in players(tag, sorted(seen["metadata"][tag])))
            for tag in tags
        },
        matched={
            tag: {player: matched[tag][ticket] for ticket, player in players(tag, matched[tag])}
            for tag in tags
        },
        parties=parties,
        index=dict(sorted(seen["index"])),
        pending={tag: {match: float(due) for match, due in seen["pending"][tag]} for tag in tags},
        matches={
            match: (name, of_match(match, who)) for match, name, who in sorted(seen["matches"])
        },
        started={match: of_match(match, who) for match, who in sorted(seen["started"])},
        dead=tuple(seen["dead"]),
    )
    return Look(state=state, requests=seen["requests"])
