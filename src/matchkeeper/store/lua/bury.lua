#!lua
-- Takes a request that fails by itself again and again out of its stream and into the dead letters.
-- KEYS   1 the stream of the request  2 dead:{tag}
-- ARGV   1 group of the stream's readers, or ''  2 entry id  3 how many dead letters are kept
--        4 kind  5 body  6 player  7 reason
-- REPLY  1 when it was there, else 0
-- AGAIN  safe: it is there once.
-- include: time
-- include: number_in
-- include: numbers
local kept = bounded('dead letters', ARGV[3], 1, 1e7)
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then return 0 end
local now = string.format('%.6f', now)
redis.call('XADD', KEYS[2], 'MAXLEN', kept, '*', 'player_id', ARGV[6], 'metadata', ARGV[5],
  'request', ARGV[4], 'reason', ARGV[7], 'enqueued_at', now, 'time', now)
if ARGV[1] ~= '' then redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
