#!lua flags=no-writes
-- The metadata of players, with their places at that moment: who has left a queue has none.
-- REPLY  {[score or false, …], [metadata or false, …]}
-- AGAIN  safe: changes nothing.
-- declared: pages.fetch
return {redis.call('ZMSCORE', queue, unpack(ARGV, tickets + 1)),
  redis.call('HMGET', metadata, unpack(ARGV, tickets + 1))}
