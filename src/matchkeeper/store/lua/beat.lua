#!lua
-- A server says that it lives and by which settings it works, or that it leaves. It hears of the
-- others, and what operators decided for modes.
-- KEYS   1 servers  2 settings:<digest>  3 modes
-- ARGV   1 server  2 digest of its settings, '' = it leaves  3 its settings as text, '' = sent before
--        4 seconds after which a silent server is forgotten
--        5 seconds for which settings are remembered that no server has any more
-- REPLY  {number of these settings, 0 = their text is wanted, [server, digest, number, …],
--         [tag, states, …]}
-- AGAIN  safe.
-- include: time
-- include: number_in
-- include: numbers
local silent = bounded('silent after', ARGV[4], 1, DAY)
local kept = bounded('settings kept for', ARGV[5], 1, 365 * DAY)
local number = false
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  number = redis.call('HGET', KEYS[2], 'number')
  if not number and ARGV[3] ~= '' then
    -- Settings are numbered in the order in which they were first seen.
    number = redis.call('HINCRBY', KEYS[1], 'count', 1)
    redis.call('HSET', KEYS[2], 'number', number, 'text', ARGV[3])
  end
end
if number then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.3f %s %s', now, number, ARGV[2]))
  redis.call('EXPIRE', KEYS[2], kept)
  redis.call('EXPIRE', KEYS[1], 2 * kept)
end
local servers, held = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local at, settings, digest = string.match(held[i + 1], '^([%d.]+) (%d+) (%x+)$')
  if at and now - tonumber(at) < silent then
    for _, each in ipairs({held[i], digest, settings}) do servers[#servers + 1] = each end
  elseif at then
    redis.call('HDEL', KEYS[1], held[i])
  end
end
return {tonumber(number or 0), servers, redis.call('HGETALL', KEYS[3])}
