#!lua
-- A pod says that it lives, or that it leaves.
-- REPLY  1
-- AGAIN  safe.
-- declared: coordination.heartbeat
-- include: time
-- include: number_in
-- include: numbers
if state == 'bye' then
  redis.call('ZREM', pods, pod_id)
else
  redis.call('ZADD', pods, string.format('%.6f', now), pod_id)
end
redis.call('ZREMRANGEBYSCORE', pods, '-inf', string.format('%.6f', now - DAY))
return 1
