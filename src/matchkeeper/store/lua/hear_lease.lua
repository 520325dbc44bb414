#!lua
-- Keeps, takes or gives up the lease under which one server hears Pub/Sub, and marks the channel.
-- KEYS   1 hearing
-- ARGV   1 me  2 what the caller wants: hear (also a lease that was given up) | follow (only one
--          that stood still; marks in any case) | leave  3 the state of a lease that stood still for
--          as long as a lease lasts, or ''  4 channel of the marks  5 name of a new mark, to which its
--          number is added
-- REPLY  {1 when the caller holds it, state, epoch, position up to which all is done, or '', number
--        of the last mark}
-- AGAIN  safe: who holds it keeps it. Nobody's clock is asked: a lease that stands still is taken by
--        its state, which each keeping changes.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'beat', 'done', 'marks')
local epoch, beat, marks = tonumber(held[1]) or 0, tonumber(held[3]) or 0, tonumber(held[5]) or 0
local holder, done, state = held[2] or '', held[4] or '', epoch .. '.' .. beat
local mine = holder == ARGV[1]

if ARGV[2] == 'leave' then
  if mine then redis.call('HSET', KEYS[1], 'holder', '') end
  return {0, state, epoch, done, marks}
end
local free = holder == '' and (epoch == 0 or ARGV[2] == 'hear')
local has_it = mine or free or state == ARGV[3]
if has_it or ARGV[2] == 'follow' then
  -- A call that is sent again marks anew: a name that came twice would name two places.
  marks = marks + 1
  redis.call('HSET', KEYS[1], 'marks', marks)
  redis.call('PUBLISH', ARGV[4], ARGV[5] .. '.' .. marks)
end
if not has_it then return {0, state, epoch, done, marks} end
if not mine then epoch = epoch + 1 end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'holder', ARGV[1], 'beat', beat + 1)
return {1, epoch .. '.' .. (beat + 1), epoch, done, marks}
