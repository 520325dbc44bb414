#!lua
-- A pod says that it lives, or that it leaves.
-- KEYS   1 pods
-- ARGV   1 pod id  2 'here' or 'bye'
-- REPLY  1
-- AGAIN  safe.
-- include: time
-- include: number_in
-- include: numbers
if ARGV[2] == 'bye' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - DAY))
return 1
