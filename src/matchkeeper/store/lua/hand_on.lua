#!lua
-- Hands requests to the other servers that read the durable stream: this one does not know their mode.
-- KEYS   1 the stream of the requests  2 match:requests
-- ARGV   1 group of the stream's readers, or '', then entry ids
-- REPLY  how many were there
-- AGAIN  safe: each is there once.
local handed = 0
for i = 2, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if found then
    redis.call('XADD', KEYS[2], '*', unpack(found[2]))
    if ARGV[1] ~= '' then redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
    handed = handed + redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
return handed
