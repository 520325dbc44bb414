#!lua
-- One server of several may tell the end of an outage.
-- KEYS   1 alert:<name>:sent  2 alert:<name>:open  3 alert:<name>:resolved
-- ARGV   1 token of this attempt  2 memory in milliseconds
-- REPLY  1 when the caller is to tell it, else 0
-- AGAIN  safe: the token that may tell is told so again.
-- include: number_in
-- include: numbers
local memory = memory_ms(ARGV[2])
if redis.call('GET', KEYS[3]) == ARGV[1] then return 1 end
if redis.call('DEL', KEYS[2]) == 0 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[3], ARGV[1], 'PX', memory)
return 1
