#!lua flags=no-writes
-- Reads which pending matches are past their deadline, and which game servers start nothing.
-- REPLY  {now, number pending, [match id, …], [pod, "<leases in a row> <refused since> <until>", …]}
-- AGAIN  safe: changes nothing.
-- declared: pending.overdue
-- include: time
-- include: number_in
-- include: numbers
local failing = redis.pcall('HGETALL', claimers)
now = string.format('%.6f', now)
return {now, redis.call('ZCARD', pending),
  redis.call('ZRANGE', pending, '-inf', now, 'BYSCORE', 'LIMIT', bounded('start', start, 0, 1e6),
    bounded('count', count, 0, 1e6)),
  failing.err and {} or failing}
