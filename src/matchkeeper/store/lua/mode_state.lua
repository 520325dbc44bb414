#!lua
-- An operator drains or pauses a mode, or lets it go on.
-- KEYS   1 modes
-- ARGV   1 tag  2 drained, paused, or '' = neither any more
-- REPLY  the states of the mode now, separated by spaces
-- AGAIN  safe.
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return ''
end
local states = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if not string.find(' ' .. states .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then
  states = states == '' and ARGV[2] or states .. ' ' .. ARGV[2]
  redis.call('HSET', KEYS[1], ARGV[1], states)
end
return states
