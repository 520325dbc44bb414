#!lua flags=no-writes
-- Reads when each pod that sends heartbeats was last heard.
-- REPLY  {now, [pod id, Unix seconds, …]}
-- AGAIN  safe: changes nothing.
-- declared: coordination.pods
-- include: time
return {string.format('%.6f', now), redis.call('ZRANGE', pods, 0, -1, 'WITHSCORES')}
