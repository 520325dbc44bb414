#!lua
-- A server says that it lives and which settings it has, or that it leaves. The reply tells it of the
-- other servers, and of what operators decided for modes.
-- REPLY  {number of these settings, 0 = their text is wanted, [server, digest, number, …],
--         [mode, states, …]}
-- AGAIN  safe.
-- declared: servers.beat
-- include: time
-- include: number_in
-- include: numbers
silent_seconds = bounded('silent after', silent_seconds, 1, DAY)
kept_seconds = bounded('settings kept for', kept_seconds, 1, 365 * DAY)
local number = false
if digest == '' then
  redis.call('HDEL', servers, server)
else
  number = redis.call('HGET', settings, 'number')
  if not number and text ~= '' then
    -- Settings are numbered in the order in which they were first seen.
    number = redis.call('HINCRBY', servers, 'count', 1)
    redis.call('HSET', settings, 'number', number, 'text', text)
  end
end
if number then
  redis.call('HSET', servers, server, string.format('%.3f %s %s', now, number, digest))
  redis.call('EXPIRE', settings, kept_seconds)
  redis.call('EXPIRE', servers, 2 * kept_seconds)
end
local living, held = {}, redis.call('HGETALL', servers)
for i = 1, #held, 2 do
  local at, its_number, its_digest = string.match(held[i + 1], '^([%d.]+) (%d+) (%x+)$')
  if at and now - tonumber(at) < silent_seconds then
    for _, each in ipairs({held[i], its_digest, its_number}) do living[#living + 1] = each end
  elseif at then
    redis.call('HDEL', servers, held[i])
  end
end
return {tonumber(number or 0), living, redis.call('HGETALL', modes)}
