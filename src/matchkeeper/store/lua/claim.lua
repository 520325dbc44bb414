#!lua
-- One game server takes an offered match, before the offer ends. It must confirm the start within the
-- lease of the mode.
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this game server claimed matches and started none; its claims are refused for a while
-- AGAIN  safe: the token that claimed the match is told so again.
-- declared: handoffs.claim
-- include: time
-- include: number_in
-- include: history
local held = redis.call('HMGET', match, 'state', 'epoch', 'token', 'lease')
local state, claim, lease = held[1], held[3], number_in(held[4], 0, 3600) or 10
local is_taken = state == 'claimed' or state == 'confirmed' or state == 'started'
local deadline = redis.call('ZSCORE', pending, match_id)
local code = 'claimed'
if not state then code = 'unknown_match'
elseif held[2] ~= epoch then code = 'old_epoch'
elseif is_taken and claim ~= token then code = 'already_claimed'
elseif state == 'claimed' then
  redis.call('HSET', match, 'token', claim) -- a write, for WAITAOF and WAIT behind it
elseif state ~= 'offered' or not deadline or now > tonumber(deadline) then code = 'too_late'
else
  local failed = redis.pcall('HGET', claimers, pod_id)
  if failed then
-- include: claimers
    local count, since, till = failures_in(failed)
    -- Once that time is over, one claim is let through. Others follow when it is known what came of
    -- that one. After a step back of the clock nobody is refused.
    if till > 0 and now >= since then
      if now < till then code = 'refused'
      else write_failures(claimers, pod_id, count, since, now + lease) end
    end
  end
  if code == 'claimed' then
    redis.call('HSET', match, 'state', 'claimed', 'claimed_by', pod_id, 'token', token)
    redis.call('ZADD', pending, now + lease, match_id)
    note(history, now, 'claimed', 'match', match_id, 'pod', pod_id)
  end
end
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(history, now, 'claim_refused', 'match', match_id, 'pod', pod_id, 'detail', code)
end
return {code}
