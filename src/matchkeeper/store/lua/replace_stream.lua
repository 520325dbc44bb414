#!lua
-- Puts a new stream in the place of one whose ids are used up, or nearly: Redis would take no more entries. What
-- waits is written anew, in its order. What a server has in hand under an old id is not there any more.
-- REPLY  {how many entries were written anew} | {}: its ids are those of a clock
-- AGAIN  safe: a stream whose ids are those of a clock stays as it is.
-- declared: stream.replace_stream
-- include: number_in
-- include: numbers
beyond = bounded('ids of a clock', beyond, 1, 2 ^ 53)
local last, facts = 0, redis.pcall('XINFO', 'STREAM', requests)
for k = 1, #facts, 2 do
  if facts[k] == 'last-generated-id' then last = tonumber(string.match(facts[k + 1], '^%d+')) end
end
if last < beyond then return {} end
local entries = redis.call('XRANGE', requests, '-', '+')
redis.call('UNLINK', requests)
redis.call('XGROUP', 'CREATE', requests, group, '0', 'MKSTREAM')
for _, entry in ipairs(entries) do redis.call('XADD', requests, '*', unpack(entry[2])) end
return {#entries}
