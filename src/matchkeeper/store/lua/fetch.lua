#!lua flags=no-writes
-- Reads the metadata of players, and their places at that moment. Players who have left have no place.
-- REPLY  {[score or false, …], [metadata or false, …]}
-- AGAIN  safe: changes nothing.
-- declared: pages.fetch
return {redis.call('ZMSCORE', queue, unpack(ARGV, tickets + 1)),
  redis.call('HMGET', metadata, unpack(ARGV, tickets + 1))}
