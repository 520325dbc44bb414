#!lua
-- A game server takes an offered match: once, for one server, before the offer ends. It is to be
-- confirmed within the lease of its mode.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}  4 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this server has claimed matches and started none; for a while it may not
-- AGAIN  safe: the token that claimed it is told claimed.
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

-- claimers:{tag} remembers game servers that claimed matches and did not start them: pod -> "<matches
-- in a row> <since> <until>", between which its claims are refused, in Unix seconds; 0 and 0 while they
-- are not. What cannot be read counts as unknown.
local function failures_in(held)
  local count, since, till = string.match(type(held) == 'string' and held or '', '^(%d+) ([%d.]+) ([%d.]+)$')
  return tonumber(count) or 0, tonumber(since) or 0, tonumber(till) or 0
end

local function write_failures(claimers, pod, count, since, till)
  redis.call('HSET', claimers, pod, string.format('%d %.6f %.6f', count, since, till))
end

local now = unix_seconds()

-- When the time is over one claim is let through, and others only once it is known what came of it. A
-- clock that has gone back refuses nobody.
local function is_refused(claimers, pod, lease)
  local held = redis.pcall('HGET', claimers, pod)
  if not held then return false end
  local count, since, till = failures_in(held)
  if till == 0 or now < since then return false end
  if now < till then return true end
  write_failures(claimers, pod, count, since, now + lease)
  return false
end

local function claim()
  local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'lease')
  local state, epoch, token = match[1], match[2], match[3]
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  local is_taken = state == 'claimed' or state == 'confirmed' or state == 'started'
  if is_taken and token ~= ARGV[4] then return 'already_claimed' end
  if state == 'claimed' then
    redis.call('HSET', KEYS[1], 'token', token) -- a write, for WAITAOF and WAIT behind it
    return 'claimed'
  end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if state ~= 'offered' or not deadline or now > tonumber(deadline) then return 'too_late' end
  local lease = number_in(match[4], 0, HOUR) or 10
  if is_refused(KEYS[4], ARGV[3], lease) then return 'refused' end
  redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_by', ARGV[3], 'token', ARGV[4])
  redis.call('ZADD', KEYS[2], string.format('%.6f', now + lease), ARGV[1])
  note(KEYS[3], now, 'claimed', 'match', ARGV[1], 'pod', ARGV[3])
  return 'claimed'
end

local code = claim()
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(KEYS[3], now, 'claim_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
end
return {code}
