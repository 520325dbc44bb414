#!lua
-- Moves what was heard on Pub/Sub into the stream from which it is done, each message once.
-- KEYS   1 hearing  2 heard
-- ARGV   1 epoch of the caller's lease  2 position up to which all was done  3 position up to which
--        all is done now  4 how many requests may wait in the stream, then kind and body of each
-- REPLY  {moved, id of the first entry; the others follow it without a gap} | {full}
--        {lost}: another server hears, or has since  {elsewhere}: done up to another position
-- AGAIN  safe: the same two positions get the same reply.
-- include: number_in
-- include: numbers
local most = bounded('how many may wait', ARGV[4], 1, 1e7)
local held = redis.call('HMGET', KEYS[1], 'epoch', 'done', 'from', 'first')
if held[1] ~= ARGV[1] then return {'lost'} end
if held[2] == ARGV[3] and held[3] == ARGV[2] and held[4] then return {'moved', held[4]} end
if (held[2] or '') ~= ARGV[2] then return {'elsewhere'} end
if #ARGV > 4 and redis.call('XLEN', KEYS[2]) >= most then return {'full'} end
-- Where the lease cannot be written, nothing is moved: it would be moved again.
redis.call('HSET', KEYS[1], 'epoch', held[1])
local first, ms, number = ''
for i = 5, #ARGV, 2 do
  -- Before Redis 7.2 the clock goes on within a script, so that '*' would leave gaps.
  local id = ms and string.format('%s-%.0f', ms, number + (i - 5) / 2) or '*'
  local added = redis.call('XADD', KEYS[2], id, 'kind', ARGV[i], 'body', ARGV[i + 1])
  if not ms then first, ms, number = added, string.match(added, '^(%d+)-(%d+)$') end
end
redis.call('HSET', KEYS[1], 'done', ARGV[3], 'from', ARGV[2], 'first', first)
return {'moved', first}
