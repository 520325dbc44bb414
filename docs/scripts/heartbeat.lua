#!lua
-- A pod says that it lives, or that it leaves.
-- KEYS   1 pods
-- ARGV   1 pod id  2 'here' or 'bye'
-- REPLY  1
-- AGAIN  safe.
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

local now = unix_seconds()
if ARGV[2] == 'bye' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - DAY))
return 1
