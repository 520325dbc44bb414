#!lua flags=no-writes
-- Reads a page of a queue, longest waiting first.
-- KEYS   1 queue:{tag}  2 metadata:{tag}
-- ARGV   1 first rank  2 number of tickets
-- REPLY  {now (Unix seconds), queue length, [player, score, …], [metadata or false, …]}
-- AGAIN  safe: changes nothing.
-- include: time
local tickets = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local ids = {}
for i = 1, #tickets, 2 do ids[#ids + 1] = tickets[i] end
local metadata = #ids > 0 and redis.call('HMGET', KEYS[2], unpack(ids)) or {}
return {string.format('%.6f', unix_seconds()), redis.call('ZCARD', KEYS[1]), tickets, metadata}
