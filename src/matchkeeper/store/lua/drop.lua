#!lua
-- Deletes a dead letter for good.
-- KEYS   1 remembered answer  2 dead:{tag}
-- ARGV   1 memory in milliseconds  2 entry id
-- REPLY  {dropped} | {not_found}
-- AGAIN  safe: the answer is remembered.
-- include: replay
local answer = replayed()
if answer then return answer end
if redis.call('XDEL', KEYS[2], ARGV[2]) == 0 then return {'not_found'} end
return remember({'dropped'})
