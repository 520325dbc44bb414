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
