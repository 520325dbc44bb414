#!lua
-- A game server takes an offered match: once, for one server, before the offer ends. It is to be
-- confirmed within the lease of its mode.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}  4 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this server has claimed matches and started none; for a while it may not
-- AGAIN  safe: the token that claimed it is told claimed.
-- include: time
-- include: numbers
-- include: history
-- include: claimers
local now = unix_seconds()

-- When the time is over one claim is let through, and others only once it is known what came of it. A
-- clock that has gone back refuses nobody.
local function is_refused(claimers, pod, lease)
  local held = redis.pcall('HGET', claimers, pod)
  if not held then return false end
  local count, since, till = failures_in(held)
  if till == 0 or now < since then return false end
  if now < till then return true end
  write_failures(claimers, pod, count, since, now + lease)
  return false
end

local function claim()
  local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'lease')
  local state, epoch, token = match[1], match[2], match[3]
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  local is_taken = state == 'claimed' or state == 'confirmed' or state == 'started'
  if is_taken and token ~= ARGV[4] then return 'already_claimed' end
  if state == 'claimed' then
    redis.call('HSET', KEYS[1], 'token', token) -- a write, for WAITAOF and WAIT behind it
    return 'claimed'
  end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if state ~= 'offered' or not deadline or now > tonumber(deadline) then return 'too_late' end
  local lease = number_in(match[4], 0, HOUR) or 10
  if is_refused(KEYS[4], ARGV[3], lease) then return 'refused' end
  redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_by', ARGV[3], 'token', ARGV[4])
  redis.call('ZADD', KEYS[2], string.format('%.6f', now + lease), ARGV[1])
  note(KEYS[3], now, 'claimed', 'match', ARGV[1], 'pod', ARGV[3])
  return 'claimed'
end

local code = claim()
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(KEYS[3], now, 'claim_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
end
return {code}
