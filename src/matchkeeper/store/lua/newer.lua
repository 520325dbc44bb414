#!lua flags=no-writes
-- The tickets of a queue behind a place that was read before.
-- KEYS   1 queue:{tag}
-- ARGV   1 the latest enqueue time that was read  2 number of tickets
-- REPLY  {now (Unix seconds), queue length, [player, score, …]}
-- AGAIN  safe: changes nothing.
-- include: time
-- include: number_in
-- include: numbers
local count = bounded('count', ARGV[2], 1, 1e6)
return {string.format('%.6f', now), redis.call('ZCARD', KEYS[1]),
  redis.call('ZRANGE', KEYS[1], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, count, 'WITHSCORES')}
