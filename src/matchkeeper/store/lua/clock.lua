#!lua
-- A server looks at the clock of Redis. The clock is then believed for a moment, so that scripts do not
-- follow a step (lib/time.lua). A clock that is not where it should be is believed again once a server
-- says by how much it has stepped. The step is bridged, and made up for slowly.
-- Streams name and age their entries by that clock. After a step back, new entries still come after the
-- old ones, and entries that a server has in hand count as given just now.
-- REPLY  {clock (Unix seconds), '1' when it is not where it should be, offset, steps so far,
--        seconds of the last step, looks so far}
-- AGAIN  safe: a step is bridged once, since it raises the number of steps.
-- declared: clock.clock
-- include: time
-- include: number_in
-- include: numbers
trust_seconds, made_up_share = bounded('trust', trust_seconds, 0, HOUR), bounded('share', made_up_share, 0, 1)
local CENTURY = 36525 * DAY
local is_stepped = step ~= ''
if is_stepped then
  step, known_steps = bounded('step', step, -CENTURY, CENTURY), bounded('steps', known_steps, 0, 2 ^ 53)
  looked_at = bounded('look', looked_at, 0, 2 * CENTURY)
end
now = redis_now
if not from then from, to, offset = now, now, 0 end
local steps = tonumber(redis.call('HGET', clock, 'steps') or 0)
local astray = now < from or now > to

local function believe(shift)
  offset, astray = offset + shift, false
  redis.call('HSET', clock, 'belief', struct.pack('<ddd', now, now + trust_seconds, offset))
end

local function in_order(stream, id)
  if type(redis.pcall('XADD', stream, 'NOMKSTREAM', id, 'kind', '')) == 'string' then
    redis.call('XDEL', stream, id)
  end
  local given = redis.pcall('XPENDING', stream, group, '-', '+', 10000)
  for _, each in ipairs(given.err and {} or given) do
    redis.pcall('XCLAIM', stream, group, each[2], 0, each[1], 'IDLE', 0, 'JUSTID')
  end
end

-- A step forward may end too soon what Redis keeps for a time. So requests from before it count as forgotten.
local function forget()
  local newest = 0
  for _, stream in ipairs({requests, heard}) do
    local last = redis.pcall('XINFO', 'STREAM', stream)
    for k = 1, #last, 2 do
      if last[k] == 'last-generated-id' then newest = math.max(newest, tonumber(string.match(last[k + 1], '^%d+'))) end
    end
  end
  redis.call('HSET', clock, 'forgot', string.format('%.0f', newest + 1))
end

-- The bridged time never goes back behind what scripts have seen, nor on by more than the time that passed.
local function bridge(step)
  local shift = math.max(-step, math.min(math.max(now, from), to) - now)
  if step ~= 0 or shift ~= 0 then
    local told = step ~= 0 and step or -shift
    redis.call('HSET', clock, 'steps', steps + 1, 'step', string.format('%.6f', told))
    steps = steps + 1
    local id = string.format('%.0f-0', (now - told + 1) * 1000)
    for _, stream in ipairs({requests, heard}) do in_order(stream, id) end
    if told > 0 then forget() end
  end
  believe(shift)
end

if not astray then
  local made_up = math.min(math.abs(offset), made_up_share * (now - from))
  believe(offset > 0 and -made_up or made_up)
elseif is_stepped and known_steps == steps and math.abs(now - looked_at) < trust_seconds then
  bridge(step)
end
return {string.format('%.6f', now), astray and '1' or '', string.format('%.6f', offset), steps,
  redis.call('HGET', clock, 'step') or '0', redis.call('HINCRBY', clock, 'looks', 1)}
