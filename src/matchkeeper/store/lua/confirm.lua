#!lua
-- The game server that claimed a match starts it. The answer is the last word: a game server that is
-- refused must not start.
-- Where the start must be durable first, nobody is told yet, and only that game server can still give
-- the match back.
-- REPLY  {started}: the players are told
--        {confirmed}: do not start before this is as durable as the offer says (WAIT or WAITAOF on this
--        connection); then send settle. If that takes too long, send decline.
--        {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started the match is told so again; the players are told once.
-- declared: handoffs.confirm
-- include: time
-- include: number_in
-- include: history
local held = redis.call('HMGET', match, 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices',
  'memory', 'durability')
local state, claimed_by, ids, notices, memory = held[1], held[4], held[5], held[6], held[7]
local durability = held[8]
local deadline = redis.call('ZSCORE', pending, match_id)
local code = nil
if not state then code = 'unknown_match'
elseif held[2] ~= epoch then code = 'old_epoch'
elseif state == 'offered' then code = 'not_claimed'
elseif state ~= 'claimed' and state ~= 'confirmed' and state ~= 'started' then code = 'too_late'
elseif held[3] ~= token then code = state == 'claimed' and 'not_claimed' or 'too_late'
elseif state == 'claimed' and (not deadline or now > tonumber(deadline)) then code = 'too_late'
end
if code then
  note(history, now, 'confirm_refused', 'match', match_id, 'pod', pod_id, 'detail', code)
  return {code}
end
if state == 'started' then
  redis.call('HSET', match, 'state', 'started') -- a write, for WAITAOF and WAIT behind it
  return {'started'}
end
if durability and durability ~= 'none' then
  -- Another lease, in which the start becomes durable or is declined. After it the servers settle the match.
  local lease = number_in(redis.call('HMGET', match, 'lease')[1], 0, 3600) or 10
  redis.call('ZADD', pending, now + lease, match_id)
  redis.call('HSET', match, 'state', 'confirmed')
  if state == 'claimed' then note(history, now, 'confirmed', 'match', match_id, 'pod', claimed_by) end
  return {'confirmed'}
end
-- include: started
note(history, now, 'started', 'match', match_id, 'pod', claimed_by)
return {'started'}
