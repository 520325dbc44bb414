#!lua flags=no-writes
-- Reads the pending matches whose deadline has passed.
-- KEYS   1 pending:{tag}
-- ARGV   1 how many at most
-- REPLY  {now, number pending, [match id, …]}
-- AGAIN  safe: changes nothing.
-- include: time
local now = string.format('%.6f', unix_seconds())
return {now, redis.call('ZCARD', KEYS[1]),
  redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])}
