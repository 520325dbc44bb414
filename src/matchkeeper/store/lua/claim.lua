#!lua
-- A game server takes an offered match: once, for one server, before the offer ends.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token  5 lease in seconds
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that claimed it is told claimed.
-- include: time
-- include: history
local now = unix_seconds()

local function claim()
  local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token')
  local state, epoch, token = match[1], match[2], match[3]
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  if state == 'claimed' then
    if token ~= ARGV[4] then return 'already_claimed' end
    redis.call('HSET', KEYS[1], 'token', token) -- a write, for WAITAOF and WAIT behind it
    return 'claimed'
  end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if state ~= 'offered' or not deadline or now > tonumber(deadline) then return 'too_late' end
  redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_by', ARGV[3], 'token', ARGV[4])
  redis.call('ZADD', KEYS[2], string.format('%.6f', now + tonumber(ARGV[5])), ARGV[1])
  note(KEYS[3], now, 'claimed', 'match', ARGV[1], 'pod', ARGV[3])
  return 'claimed'
end

local code = claim()
if code ~= 'claimed' and code ~= 'already_claimed' then
  note(KEYS[3], now, 'claim_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
end
return {code}
