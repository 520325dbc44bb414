#!lua
-- Publishes an answer to a refused request, unless another server has done so already.
-- KEYS   1 seen:{tag}:<fingerprint>
-- ARGV   1 memory in milliseconds  2 me  3 channel  4 payload
-- REPLY  1 when it was published by this call, else 0
-- AGAIN  safe: a refusal is published once in the memory's time.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
