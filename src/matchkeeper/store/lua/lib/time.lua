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
