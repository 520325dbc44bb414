#!lua
-- The game server that claimed a match will not start it: it is due at once for another offer. It can
-- be declined after its confirm, too, until it is settled.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {declined} | {started}: too late, it was settled | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined it is told declined, until it is offered again.
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

local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'declined')
local state, epoch, token = match[1], match[2], match[3]
if not state then return {'unknown_match'} end
if epoch ~= ARGV[2] then return {'old_epoch'} end
if match[4] == ARGV[4] then return {'declined'} end
if state == 'offered' then return {'not_claimed'} end
if state == 'started' and token == ARGV[4] then return {'started'} end
if state ~= 'claimed' and state ~= 'confirmed' then return {'too_late'} end
if token ~= ARGV[4] then return {'not_claimed'} end
redis.call('HDEL', KEYS[1], 'token', 'claimed_by')
redis.call('HSET', KEYS[1], 'state', 'offered', 'declined', ARGV[4], 'declined_by', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
note(KEYS[3], unix_seconds(), 'declined', 'match', ARGV[1], 'pod', ARGV[3])
return {'declined'}
