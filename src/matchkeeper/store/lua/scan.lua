#!lua flags=no-writes
-- Reads the tickets of a part of a queue, longest waiting first.
-- REPLY  {now (Unix seconds), queue length, [player, score, …]}
-- AGAIN  safe: changes nothing.
-- declared: pages.scan
-- include: time
-- include: number_in
-- include: numbers
first, count = bounded('rank', first, 0, 1e9), bounded('count', count, 1, 1e6)
return {string.format('%.6f', now), redis.call('ZCARD', queue),
  redis.call('ZRANGE', queue, first, first + count - 1, 'WITHSCORES')}
