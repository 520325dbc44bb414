#!lua
-- Hands requests whose mode this server does not know to the others, which read the durable stream.
-- REPLY  how many of them were still there
-- AGAIN  safe: each is moved once.
-- declared: stream.hand_on
local handed = 0
for i = 1, entry_ids_count do
  local id = ARGV[entry_ids + i]
  local found = redis.call('XRANGE', requests, id, id)[1]
  if found then
    redis.call('XADD', durable, '*', unpack(found[2]))
    if group ~= '' then redis.call('XACK', requests, group, id) end
    handed = handed + redis.call('XDEL', requests, id)
  end
end
return handed
