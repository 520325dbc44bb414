#!lua
-- Takes a request that fails by itself again and again out of its stream and into the dead letters.
-- REPLY  1 when it was there, else 0
-- AGAIN  safe: it is there once.
-- declared: stream.bury
-- include: time
-- include: number_in
-- include: numbers
kept = bounded('dead letters', kept, 1, 1e7)
if #redis.call('XRANGE', requests, entry_id, entry_id) == 0 then return 0 end
now = string.format('%.6f', now)
redis.call('XADD', dead, 'MAXLEN', kept, '*', 'player_id', player_id, 'metadata', body,
  'request', kind, 'reason', reason, 'enqueued_at', now, 'time', now)
if group ~= '' then redis.call('XACK', requests, group, entry_id) end
redis.call('XDEL', requests, entry_id)
return 1
