#!lua flags=no-writes
-- Reads the pending matches whose deadline has passed, and which game servers start nothing.
-- KEYS   1 pending:{tag}  2 claimers:{tag}
-- ARGV   1 how many to pass over  2 how many at most
-- REPLY  {now, number pending, [match id, …], [pod, "<leases in a row> <refused since> <until>", …]}
-- AGAIN  safe: changes nothing.
-- include: time
-- include: number_in
-- include: numbers
local claimers = redis.pcall('HGETALL', KEYS[2])
local now = string.format('%.6f', now)
return {now, redis.call('ZCARD', KEYS[1]),
  redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', bounded('start', ARGV[1], 0, 1e6),
    bounded('count', ARGV[2], 0, 1e6)),
  claimers.err and {} or claimers}
