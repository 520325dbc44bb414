#!lua
-- A game server takes an offered match: once, for one server, before the offer ends. It is to be
-- confirmed within the lease of its mode.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}  4 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this server has claimed matches and started none; for a while it may not
-- AGAIN  safe: the token that claimed it is told claimed.
-- include: time
-- include: number_in
-- include: history
local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'lease')
local state, epoch, token, lease = match[1], match[2], match[3], number_in(match[4], 0, 3600) or 10
local is_taken = state == 'claimed' or state == 'confirmed' or state == 'started'
local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
local code = 'claimed'
if not state then code = 'unknown_match'
elseif epoch ~= ARGV[2] then code = 'old_epoch'
elseif is_taken and token ~= ARGV[4] then code = 'already_claimed'
elseif state == 'claimed' then
  redis.call('HSET', KEYS[1], 'token', token) -- a write, for WAITAOF and WAIT behind it
elseif state ~= 'offered' or not deadline or now > tonumber(deadline) then code = 'too_late'
else
  local held = redis.pcall('HGET', KEYS[4], ARGV[3])
  if held then
-- include: claimers
    local count, since, till = failures_in(held)
    -- When the time is over one claim is let through, and others only once it is known what came of
    -- it. A clock that has gone back refuses nobody.
    if till > 0 and now >= since then
      if now < till then code = 'refused'
      else write_failures(KEYS[4], ARGV[3], count, since, now + lease) end
    end
  end
  if code == 'claimed' then
    redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_by', ARGV[3], 'token', ARGV[4])
    redis.call('ZADD', KEYS[2], now + lease, ARGV[1])
    note(KEYS[3], now, 'claimed', 'match', ARGV[1], 'pod', ARGV[3])
  end
end
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(KEYS[3], now, 'claim_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
end
return {code}
