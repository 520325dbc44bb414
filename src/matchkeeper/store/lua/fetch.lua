#!lua flags=no-writes
-- The metadata of players, with their places at that moment: who has left a queue has none.
-- KEYS   1 queue:{tag}  2 metadata:{tag}
-- ARGV   the players, one at least
-- REPLY  {[score or false, …], [metadata or false, …]}
-- AGAIN  safe: changes nothing.
return {redis.call('ZMSCORE', KEYS[1], unpack(ARGV)), redis.call('HMGET', KEYS[2], unpack(ARGV))}
