#!lua
-- The game server that claimed a match gives it back, so that it is offered again at once. That is
-- possible after the confirm, too, until the match is settled.
-- REPLY  {declined} | {started}: too late, it was settled | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined the match is told so again, until it is offered again.
-- declared: handoffs.decline
-- include: time
-- include: history
local held = redis.call('HMGET', match, 'state', 'epoch', 'token', 'declined')
local state, claim = held[1], held[3]
if not state then return {'unknown_match'} end
if held[2] ~= epoch then return {'old_epoch'} end
if held[4] == token then return {'declined'} end
if state == 'offered' then return {'not_claimed'} end
if state == 'started' and claim == token then return {'started'} end
if state ~= 'claimed' and state ~= 'confirmed' then return {'too_late'} end
if claim ~= token then return {'not_claimed'} end
redis.call('HDEL', match, 'token', 'claimed_by')
redis.call('HSET', match, 'state', 'offered', 'declined', token, 'declined_by', pod_id)
redis.call('ZADD', pending, 0, match_id)
note(history, now, 'declined', 'match', match_id, 'pod', pod_id)
return {'declined'}
