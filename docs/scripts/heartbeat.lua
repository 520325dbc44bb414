#!lua
-- A pod says that it lives, or that it leaves.
-- REPLY  1
-- AGAIN  safe.
local pods = KEYS[1] -- pods
local clock = KEYS[2] -- clock
local pod_id = ARGV[1]
local state = ARGV[2] -- here | bye
-- `now` is the time that counts, in Unix seconds: the clock of Redis, the only one that two servers share,
-- with its steps bridged. It stands still from a step until a server has noticed it (clock.lua). Every
-- script reads it once, so these are statements, which cost less than a function.
-- `redis_now` is that clock as it is. It is believed between `from` and `to`, and `offset` is added to it.
-- These three stand in one packed field of the key `clock`, and are nil where no server has written it.
local time, belief = redis.call('TIME'), redis.pcall('HGET', clock, 'belief')
local redis_now, from, to, offset = time[1] + time[2] / 1000000
local now = redis_now
if type(belief) == 'string' and #belief == 24 then
  from, to, offset = struct.unpack('<ddd', belief)
  now = (now < from and from or now > to and to or now) + offset
end

-- The number that a text says. It is nil where the text says none, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end

-- The number that the caller says. If it says none within the bounds, the script ends here, before it has
-- changed anything. Needs: number_in
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_of(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end

if state == 'bye' then
  redis.call('ZREM', pods, pod_id)
else
  redis.call('ZADD', pods, string.format('%.6f', now), pod_id)
end
redis.call('ZREMRANGEBYSCORE', pods, '-inf', string.format('%.6f', now - DAY))
return 1
