-- Takes what is done out of its stream. That comes last: Redis does not take back what an interrupted script has done, and
-- what was not done must stay. These are statements: `call` has the entries and the group, `requests` is the stream.
for first = 1, #call.entries, 1000 do
  local last = math.min(first + 999, #call.entries)
  if call.group ~= '' then redis.call('XACK', requests, call.group, unpack(call.entries, first, last)) end
  redis.call('XDEL', requests, unpack(call.entries, first, last))
end
