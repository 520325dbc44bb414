#!lua
-- Moves what was heard on Pub/Sub into the stream of requests that are not done yet, each message once.
-- REPLY  {moved, id of the first entry; the others follow it without a gap} | {full}
--        {lost}: another server hears, or has since  {elsewhere}: done up to another position
-- AGAIN  safe: the same two positions get the same reply.
-- declared: hearing.hear_move
-- include: number_in
-- include: numbers
limit = bounded('how many may wait', limit, 1, 1e7)
since = bounded('since when', since, 0, 1e13)
local held = redis.call('HMGET', hearing, 'epoch', 'done', 'from', 'first')
if held[1] ~= epoch then return {'lost'} end
if held[2] == to and held[3] == done and held[4] then return {'moved', held[4]} end
if (held[2] or '') ~= done then return {'elsewhere'} end
if messages_count > 0 and redis.call('XLEN', heard) >= limit then return {'full'} end
-- If Redis refuses to write the lease, nothing is moved, for it would be moved again.
redis.call('HSET', hearing, 'epoch', held[1])
local first, ms, number = ''
for i = 1, messages_count do
  -- Before Redis 7.2 the clock goes on within a script, so that '*' would leave gaps.
  local id = ms and string.format('%s-%.0f', ms, number + i - 1) or '*'
  local added = redis.call('XADD', heard, id, 'kind', ARGV[kind + i], 'body', ARGV[body + i],
    'since', since)
  if not ms then first, ms, number = added, string.match(added, '^(%d+)-(%d+)$') end
end
redis.call('HSET', hearing, 'done', to, 'from', done, 'first', first)
return {'moved', first}
