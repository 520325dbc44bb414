#!lua
-- Keeps, takes or gives up the lease under which one server hears Pub/Sub, and marks the channel.
-- REPLY  {1 when the caller holds it, state, epoch, position up to which all is done, or '', number
--        of the last mark: when it was made, Unix milliseconds}
-- AGAIN  safe: the holder keeps it. Nobody's clock is asked: each keeping changes the state, and a lease
--        whose state has stood still can be taken.
-- declared: hearing.hear_lease
local held = redis.call('HMGET', hearing, 'epoch', 'holder', 'beat', 'done', 'marks')
local epoch, beat, marks = tonumber(held[1]) or 0, tonumber(held[3]) or 0, tonumber(held[5]) or 0
local holder, done, state = held[2] or '', held[4] or '', epoch .. '.' .. beat
local mine = holder == me

if want == 'leave' then
  if mine then redis.call('HSET', hearing, 'holder', '') end
  return {0, state, epoch, done, marks}
end
local free = holder == '' and (epoch == 0 or want == 'hear')
local has_it = mine or free or state == stood_still
if has_it or want == 'follow' then
  -- A call that is sent again makes another mark, for a name that came twice would name two places. The
  -- number says when the mark was made, so that what was heard behind it has an age.
  local time = redis.call('TIME')
  marks = math.max(marks + 1, math.floor(time[1] * 1000 + time[2] / 1000))
  redis.call('HSET', hearing, 'marks', marks)
  redis.call('PUBLISH', channel, mark .. '.' .. marks)
end
if not has_it then return {0, state, epoch, done, marks} end
if not mine then epoch = epoch + 1 end
redis.call('HSET', hearing, 'epoch', epoch, 'holder', me, 'beat', beat + 1)
return {1, epoch .. '.' .. (beat + 1), epoch, done, marks}
