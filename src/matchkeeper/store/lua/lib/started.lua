-- The last step of a match: its players are free for others, and are told which pod starts it. These are
-- statements. Keys and arguments are those of confirm and settle, which also set `claimed_by`, `ids`,
-- `notices` and `memory` as they stand in the match. Needs: number_in
-- A key of another type than ours ends the script here, before it has changed anything.
local is_any = redis.call('EXISTS', leaving, claimers) > 0
local some_leave = is_any and redis.call('HLEN', leaving) > 0
local players, together = cmsgpack.unpack(ids)
local pod = cjson.encode(claimed_by)
redis.call('HDEL', matched, unpack(players))
redis.call('HSET', match, 'state', 'started')
redis.call('HDEL', match, 'tickets', 'notices', 'elsewhere')
redis.call('PEXPIRE', match, number_in(memory, 1, 86400 * 1000) or 120000)
redis.call('ZREM', pending, match_id)
if is_any and claimed_by then redis.pcall('HDEL', claimers, claimed_by) end -- it starts what it claims
if some_leave then redis.call('HDEL', leaving, unpack(players)) end
for _, party in ipairs(together or {}) do
  if some_leave then redis.call('HDEL', leaving, unpack(party[2])) end
  -- The index has the name that the clock has in its realm: a game server names no key for it. Where that
  -- may not write it, the servers sweep it.
  redis.pcall('HDEL', 'parties' .. string.sub(clock, #'clock' + 1), unpack(party[2]))
end
for _, notice in ipairs(cmsgpack.unpack(notices)) do
  local payload = notice[2]
  local first, last = string.find(payload, '"claimed_by":null', 1, true)
  if first then payload = string.sub(payload, 1, last - 4) .. pod .. string.sub(payload, last + 1) end
  redis.call('PUBLISH', notice[1], payload)
end
