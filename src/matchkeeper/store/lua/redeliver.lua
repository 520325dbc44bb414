#!lua
-- Offers a match again that nobody claimed in time, under the next epoch.
-- KEYS   1 remembered answer  2 match:{tag}:<match_id>  3 pending:{tag}  4 history:{tag}
-- ARGV   1 memory in milliseconds  2 match id  3 the epoch that ended  4 channel  5 battle request
--        6 seconds the new offer holds
-- REPLY  {offered, subscribers} | {gone, 0} when it is not due, or somebody else was faster
-- AGAIN  safe: the answer is remembered.
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: history
local answer = replayed()
if answer then return answer end
local offer_seconds = bounded('offer', ARGV[6], 0, HOUR)
local match = redis.call('HMGET', KEYS[2], 'state', 'epoch')
local deadline = redis.call('ZSCORE', KEYS[3], ARGV[2])
if match[1] ~= 'offered' or match[2] ~= ARGV[3] or not deadline or now < tonumber(deadline) then
  return {'gone', 0}
end
redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('HINCRBY', KEYS[2], 'offers', 1)
redis.call('HDEL', KEYS[2], 'declined', 'declined_by')
redis.call('ZADD', KEYS[3], string.format('%.6f', now + offer_seconds), ARGV[2])
note(KEYS[4], now, 'offered_again', 'match', ARGV[2])
return remember({'offered', redis.call('PUBLISH', ARGV[4], ARGV[5])})
