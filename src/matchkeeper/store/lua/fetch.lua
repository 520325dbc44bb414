#!lua flags=no-writes
-- Reads the metadata of players, and their places at that moment. Players who have left have no place.
-- REPLY  {[score or false, …], [metadata or false, …], [place in a party or false, …]}: the last is empty
--        where the index is no hash
-- AGAIN  safe: changes nothing.
-- declared: pages.fetch
return {redis.call('ZMSCORE', queue, unpack(ARGV, tickets + 1)),
  redis.call('HMGET', metadata, unpack(ARGV, tickets + 1)),
  type(redis.pcall('HLEN', parties)) == 'number'
    and redis.call('HMGET', parties, unpack(ARGV, tickets + 1)) or {}}
