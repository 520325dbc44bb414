#!lua
-- Keeps, takes or gives up the lease under which one server hears Pub/Sub, and marks the channel.
-- KEYS   1 hearing
-- ARGV   1 me  2 what the caller wants: hear (also a lease that was given up) | follow (only one
--          that stood still) | leave  3 the state of a lease that stood still for as long as a lease
--          lasts, or ''  4 channel of the marks  5 name of a new mark, to which the beat is added
-- REPLY  {1 when the caller holds it, state, epoch, position up to which all is done, or ''}
-- AGAIN  safe: who holds it keeps it. Nobody's clock is asked: a lease that stands still is taken by
--        its state, which each keeping changes.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'beat', 'done')
local epoch, beat = tonumber(held[1]) or 0, tonumber(held[3]) or 0
local holder, done, state = held[2] or '', held[4] or '', epoch .. '.' .. beat
local mine = holder == ARGV[1]

if ARGV[2] == 'leave' then
  if mine then redis.call('HSET', KEYS[1], 'holder', '') end
  return {0, state, epoch, done}
end
if not mine then
  local free = holder == '' and (epoch == 0 or ARGV[2] == 'hear')
  if not free and state ~= ARGV[3] then return {0, state, epoch, done} end
  epoch = epoch + 1
end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'holder', ARGV[1], 'beat', beat + 1)
-- A call that is sent again marks anew: a name that came twice would name two places.
redis.call('PUBLISH', ARGV[4], ARGV[5] .. '.' .. (beat + 1))
return {1, epoch .. '.' .. (beat + 1), epoch, done}
