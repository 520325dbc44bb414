#!lua flags=no-writes
-- Reads the tickets of a queue behind a place that was read before.
-- REPLY  {now (Unix seconds), queue length, [player, score, …]}
-- AGAIN  safe: changes nothing.
-- declared: pages.newer
-- include: time
-- include: number_in
-- include: numbers
count = bounded('count', count, 1, 1e6)
return {string.format('%.6f', now), redis.call('ZCARD', queue),
  redis.call('ZRANGE', queue, '(' .. than, '+inf', 'BYSCORE', 'LIMIT', 0, count, 'WITHSCORES')}
