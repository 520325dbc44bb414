#!lua
-- Pods say that they live, or that they leave.
-- REPLY  how many said so
-- AGAIN  safe.
-- declared: coordination.heartbeat
-- include: time
-- include: number_in
-- include: numbers
local call = cmsgpack.unpack(packed)
local at = string.format('%.6f', now)
for i, pod in ipairs(call.pods) do
  if call.leaving[i] then redis.call('ZREM', pods, pod) else redis.call('ZADD', pods, at, pod) end
end
redis.call('ZREMRANGEBYSCORE', pods, '-inf', string.format('%.6f', now - DAY))
-- include: done
return #call.pods
