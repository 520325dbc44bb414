#!lua
-- A server looks at the clock of Redis: from now on it is believed for a moment, so that scripts do not
-- follow a step (lib/time.lua). A clock that is not where it should be is believed again once a server
-- says by how much it has stepped; that much is bridged, and made up for slowly.
-- Streams name and age their entries by that clock: after a step back new entries still come after
-- the old ones, and what a server has in hand counts as given just now.
-- KEYS   1 clock  2 streams of requests, any number
-- ARGV   1 for how many seconds the clock is believed  2 share of the time by which a step is made up for
--        3 '' = look; else how many seconds the clock has stepped since this server's look before
--        4 the number of steps that this server knows of  5 when it has looked, by that clock
--        6 group of the streams' readers
-- REPLY  {clock (Unix seconds), '1' when it is not where it should be, offset, steps so far,
--        seconds of the last step, looks so far}
-- AGAIN  safe: a step is bridged once, since it raises the number of steps.
-- include: time
-- include: number_in
-- include: numbers
local trust, share = bounded('trust', ARGV[1], 0, HOUR), bounded('share', ARGV[2], 0, 1)
local CENTURY = 36525 * DAY
local stepped, known_steps, looked_at = false, 0, 0
if ARGV[3] ~= '' then
  stepped, known_steps = bounded('step', ARGV[3], -CENTURY, CENTURY), bounded('steps', ARGV[4], 0, 2 ^ 53)
  looked_at = bounded('look', ARGV[5], 0, 2 * CENTURY)
end
now = redis_now
if not from then from, to, offset = now, now, 0 end
local steps = tonumber(redis.call('HGET', KEYS[1], 'steps') or 0)
local astray = now < from or now > to

local function believe(shift)
  offset, astray = offset + shift, false
  redis.call('HSET', KEYS[1], 'belief', struct.pack('<ddd', now, now + trust, offset))
end

local function in_order(stream, id)
  if type(redis.pcall('XADD', stream, 'NOMKSTREAM', id, 'kind', '')) == 'string' then
    redis.call('XDEL', stream, id)
  end
  local given = redis.pcall('XPENDING', stream, ARGV[6], '-', '+', 10000)
  for _, each in ipairs(given.err and {} or given) do
    redis.pcall('XCLAIM', stream, ARGV[6], each[2], 0, each[1], 'IDLE', 0, 'JUSTID')
  end
end

-- What Redis keeps for a time may have ended with a step forward: what was asked before is forgotten.
local function forget()
  local newest = 0
  for i = 2, #KEYS do
    local last = redis.pcall('XINFO', 'STREAM', KEYS[i])
    for k = 1, #last, 2 do
      if last[k] == 'last-generated-id' then newest = math.max(newest, tonumber(string.match(last[k + 1], '^%d+'))) end
    end
  end
  redis.call('HSET', KEYS[1], 'forgot', string.format('%.0f', newest + 1))
end

-- Never back behind what scripts have seen, and never on by more than the time that has passed.
local function bridge(step)
  local shift = math.max(-step, math.min(math.max(now, from), to) - now)
  if step ~= 0 or shift ~= 0 then
    local told = step ~= 0 and step or -shift
    redis.call('HSET', KEYS[1], 'steps', steps + 1, 'step', string.format('%.6f', told))
    steps = steps + 1
    local id = string.format('%.0f-0', (now - told + 1) * 1000)
    for i = 2, #KEYS do in_order(KEYS[i], id) end
    if told > 0 then forget() end
  end
  believe(shift)
end

if not astray then
  local made_up = math.min(math.abs(offset), share * (now - from))
  believe(offset > 0 and -made_up or made_up)
elseif stepped and known_steps == steps and math.abs(now - looked_at) < trust then
  bridge(stepped)
end
return {string.format('%.6f', now), astray and '1' or '', string.format('%.6f', offset), steps,
  redis.call('HGET', KEYS[1], 'step') or '0', redis.call('HINCRBY', KEYS[1], 'looks', 1)}
