#!lua
-- Gives one server of several the right to tell that an outage is over.
-- REPLY  1 when the caller is to tell it, else 0
-- AGAIN  safe: the token that may tell is told so again.
-- declared: coordination.alert_resolve
-- include: number_in
-- include: numbers
memory_ms = memory_of(memory_ms)
if redis.call('GET', resolved) == token then return 1 end
if redis.call('DEL', open) == 0 then return 0 end
redis.call('DEL', sent)
redis.call('SET', resolved, token, 'PX', memory_ms)
return 1
