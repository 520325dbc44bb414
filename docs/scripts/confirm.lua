#!lua
-- The last word: the game server that claimed the match starts it. A server that is
-- refused must not start.
-- Where the match is to be durable first, nobody is told yet, and nobody but that game server can take
-- it back any more.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 matched:{tag}  4 leaving:{tag}
--        5 history:{tag}  6 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {started}: the players are told
--        {confirmed}: do not start before this is as durable as the offer says (WAIT or WAITAOF on this
--        connection); then send settle. Where it takes too long, send decline.
--        {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started it is told so; the players are told once.
-- The clock of Redis, the only one that two servers share, in Unix seconds.
local function redis_seconds()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

-- Between which moments that clock is believed, and how far off it is taken to be; nil where nobody has
-- said so. One packed field, since every script reads it. The key is not among KEYS: it is the same for
-- all scripts.
local function belief()
  local held = redis.pcall('HGET', 'clock', 'belief')
  if type(held) == 'string' and #held == 24 then return struct.unpack('<ddd', held) end
end

-- The time that counts: that clock with its steps bridged. It stands still between a step and the
-- moment in which a server has noticed it (clock.lua).
local function unix_seconds()
  local now, from, to, offset = redis_seconds(), belief()
  if not from then return now end
  return (now < from and from or now > to and to or now) + offset
end

-- The number that a text says; nil where it says none, none that is finite, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end

-- As above for what the caller says: else the script ends here, before it has changed anything.
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_ms(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end

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

-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. The fields are what, and
-- where they say something players, match, pod and detail. Players are one a line; matches are one a
-- line, too, with an empty line between their players. An entry that names players is about these alone.
-- It is bounded in bytes: an entry counts as what it takes, as ENTRY_BYTES at least, and the stream has
-- no more entries than would fit if all were like the newest.
local HISTORY_BYTES, ENTRY_BYTES, OVERHEAD_BYTES = 32 * 1024 * 1024, 512, 64

local function note(history, now, what, ...)
  local _, one, _, two, _, three = ...
  local size, most = OVERHEAD_BYTES + #one + #(two or '') + #(three or ''), HISTORY_BYTES / ENTRY_BYTES
  if size > ENTRY_BYTES then most = math.floor(HISTORY_BYTES / size) end
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', most, id, 'what', what, ...)
  if type(added) == 'table' and added.err then -- the clock has gone back
    redis.pcall('XADD', history, 'MAXLEN', '~', most, '*', 'what', what, ...)
  end
end

local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices',
  'lease', 'memory', 'durability')
local state, epoch, token, claimed_by = match[1], match[2], match[3], match[4]
local now = unix_seconds()

local function refusal()
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  if state == 'offered' then return 'not_claimed' end
  if (state == 'confirmed' or state == 'started') and token == ARGV[4] then return nil end
  if state ~= 'claimed' then return 'too_late' end
  if token ~= ARGV[4] then return 'not_claimed' end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if not deadline or now > tonumber(deadline) then return 'too_late' end
end

local code = refusal()
if code then
  note(KEYS[5], now, 'confirm_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
  return {code}
end
if state == 'started' then
  redis.call('HSET', KEYS[1], 'state', 'started') -- a write, for WAITAOF and WAIT behind it
  return {'started'}
end
if match[9] and match[9] ~= 'none' then
  -- Another lease to be durable in, or to be declined; then the servers settle it.
  local lease = number_in(match[7], 0, HOUR) or 10
  redis.call('ZADD', KEYS[2], string.format('%.6f', now + lease), ARGV[1])
  redis.call('HSET', KEYS[1], 'state', 'confirmed')
  if state == 'claimed' then note(KEYS[5], now, 'confirmed', 'match', ARGV[1], 'pod', claimed_by) end
  return {'confirmed'}
end
start(ARGV[1], claimed_by, match[5], match[6], match[8], now)
note(KEYS[5], now, 'started', 'match', ARGV[1], 'pod', claimed_by)
return {'started'}
