-- `now`: the time that counts, in Unix seconds. It is the clock of Redis, the only one that two servers
-- share, with its steps bridged; it stands still between a step and the moment in which a server has
-- noticed it (clock.lua). Every script reads it once, so these are statements: functions cost more.
-- `redis_now` is that clock as it is. Between `from` and `to` it is believed, and `offset` is how far off
-- it is taken to be; nil where nobody has said so. They are one packed field. The key is not among
-- KEYS: it is the same for all scripts.
local time, belief = redis.call('TIME'), redis.pcall('HGET', 'clock', 'belief')
local redis_now, from, to, offset = time[1] + time[2] / 1000000
local now = redis_now
if type(belief) == 'string' and #belief == 24 then
  from, to, offset = struct.unpack('<ddd', belief)
  now = (now < from and from or now > to and to or now) + offset
end
