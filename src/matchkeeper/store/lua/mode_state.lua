#!lua
-- An operator drains or pauses a mode, or lets it go on.
-- REPLY  the states of the mode now, separated by spaces
-- AGAIN  safe.
-- declared: servers.mode_state
if state == '' then
  redis.call('HDEL', modes, mode)
  return ''
end
local states = redis.call('HGET', modes, mode) or ''
if not string.find(' ' .. states .. ' ', ' ' .. state .. ' ', 1, true) then
  states = states == '' and state or states .. ' ' .. state
  redis.call('HSET', modes, mode, states)
end
return states
