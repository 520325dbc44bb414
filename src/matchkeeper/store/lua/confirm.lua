#!lua
-- The last word: the game server that claimed the match starts it. A server that is
-- refused must not start.
-- Where the match is to be durable first, nobody is told yet, and nobody but that game server can take
-- it back any more.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 matched:{tag}  4 leaving:{tag}
--        5 history:{tag}  6 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {started}: the players are told
--        {confirmed}: do not start before this is as durable as the offer says (WAIT or WAITAOF on this
--        connection); then send settle. Where it takes too long, send decline.
--        {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started it is told so; the players are told once.
-- include: time
-- include: number_in
-- include: history
local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices',
  'memory', 'durability')
local state, epoch, token, claimed_by = match[1], match[2], match[3], match[4]
local ids, notices, memory, durability = match[5], match[6], match[7], match[8]
local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
local code = nil
if not state then code = 'unknown_match'
elseif epoch ~= ARGV[2] then code = 'old_epoch'
elseif state == 'offered' then code = 'not_claimed'
elseif state ~= 'claimed' and state ~= 'confirmed' and state ~= 'started' then code = 'too_late'
elseif token ~= ARGV[4] then code = state == 'claimed' and 'not_claimed' or 'too_late'
elseif state == 'claimed' and (not deadline or now > tonumber(deadline)) then code = 'too_late'
end
if code then
  note(KEYS[5], now, 'confirm_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
  return {code}
end
if state == 'started' then
  redis.call('HSET', KEYS[1], 'state', 'started') -- a write, for WAITAOF and WAIT behind it
  return {'started'}
end
if durability and durability ~= 'none' then
  -- Another lease to be durable in, or to be declined; then the servers settle it.
  local lease = number_in(redis.call('HMGET', KEYS[1], 'lease')[1], 0, 3600) or 10
  redis.call('ZADD', KEYS[2], now + lease, ARGV[1])
  redis.call('HSET', KEYS[1], 'state', 'confirmed')
  if state == 'claimed' then note(KEYS[5], now, 'confirmed', 'match', ARGV[1], 'pod', claimed_by) end
  return {'confirmed'}
end
-- include: started
note(KEYS[5], now, 'started', 'match', ARGV[1], 'pod', claimed_by)
return {'started'}
