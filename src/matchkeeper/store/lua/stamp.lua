#!lua
-- Says in which form the state of a realm stands, and writes it down where nothing stands yet. Tickets with
-- metadata and pending matches of the given queues are a state; what was put into a queue by hand is none.
-- REPLY  {form, version that wrote it down}
--        {'', a key of a state that says no form, or the key itself, where something else stands there}
-- AGAIN  safe: what is written down is never replaced.
-- declared: form.stamp
-- include: number_in
-- include: numbers
form = string.format('%.0f', bounded('form', form, 1, 1e6))
local held = redis.pcall('HMGET', version, 'form', 'by')
if held.err then return {'', version} end
if held[1] then return {held[1], held[2] or ''} end
for i = 1, queues_count do
  for _, key in ipairs({KEYS[metadata + i], KEYS[pending + i], KEYS[matched + i]}) do
    if redis.call('EXISTS', key) == 1 then return {'', key} end
  end
end
redis.call('HSET', version, 'form', form, 'by', by)
return {form, by}
