-- The last step of a match: its players are free for others, and are told which pod starts it.
-- Needs: numbers
local function filled_in(payload, pod)
  local first, last = string.find(payload, '"claimed_by":null', 1, true)
  if not first then return payload end
  return string.sub(payload, 1, first - 1) .. '"claimed_by":' .. cjson.encode(pod) .. string.sub(payload, last + 1)
end

-- KEYS are those of confirm and settle; `ids` and `notices` are packed, as they stand in the match.
local function start(match_id, pod, ids, notices, memory, now)
  -- A key of another type than ours ends the script here, before it has changed anything.
  local some_leave = redis.call('HLEN', KEYS[4]) > 0
  local players = cmsgpack.unpack(ids)
  redis.call('HDEL', KEYS[3], unpack(players))
  redis.call('HSET', KEYS[1], 'state', 'started')
  redis.call('HDEL', KEYS[1], 'tickets', 'notices', 'elsewhere')
  redis.call('PEXPIRE', KEYS[1], number_in(memory, 1, DAY * 1000) or 120000)
  redis.call('ZREM', KEYS[2], match_id)
  if pod then redis.pcall('HDEL', KEYS[6], pod) end -- it starts what it claims
  if some_leave then redis.call('HDEL', KEYS[4], unpack(players)) end
  for _, notice in ipairs(cmsgpack.unpack(notices)) do
    redis.call('PUBLISH', notice[1], filled_in(notice[2], pod))
  end
end
