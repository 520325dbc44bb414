#!lua flags=no-writes
-- The tickets of a part of a queue, longest waiting first.
-- KEYS   1 queue:{tag}
-- ARGV   1 first rank  2 number of tickets
-- REPLY  {now (Unix seconds), queue length, [player, score, …]}
-- AGAIN  safe: changes nothing.
-- include: time
-- include: number_in
-- include: numbers
local first, count = bounded('rank', ARGV[1], 0, 1e9), bounded('count', ARGV[2], 1, 1e6)
return {string.format('%.6f', now), redis.call('ZCARD', KEYS[1]),
  redis.call('ZRANGE', KEYS[1], first, first + count - 1, 'WITHSCORES')}
