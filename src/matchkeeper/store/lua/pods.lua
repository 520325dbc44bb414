#!lua flags=no-writes
-- Reads when each pod that sends heartbeats was last heard.
-- KEYS   1 pods
-- REPLY  {now, [pod id, Unix seconds, …]}
-- AGAIN  safe: changes nothing.
-- include: time
return {string.format('%.6f', now), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
