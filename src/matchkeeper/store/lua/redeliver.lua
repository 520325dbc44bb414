#!lua
-- Offers a match that nobody claimed in time again, under the next epoch.
-- REPLY  {offered, subscribers} | {gone, 0} when it is not due, or somebody else was faster
-- AGAIN  safe: the answer is remembered.
-- declared: matches.redeliver
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: history
local answer = replayed()
if answer then return answer end
offer_seconds = bounded('offer', offer_seconds, 0, HOUR)
local held = redis.call('HMGET', match, 'state', 'epoch')
local deadline = redis.call('ZSCORE', pending, match_id)
if held[1] ~= 'offered' or held[2] ~= epoch or not deadline or now < tonumber(deadline) then
  return {'gone', 0}
end
redis.call('HINCRBY', match, 'epoch', 1)
redis.call('HINCRBY', match, 'offers', 1)
redis.call('HDEL', match, 'declined', 'declined_by')
redis.call('ZADD', pending, string.format('%.6f', now + offer_seconds), match_id)
note(history, now, 'offered_again', 'match', match_id)
return remember({'offered', redis.call('PUBLISH', channel, offer)})
