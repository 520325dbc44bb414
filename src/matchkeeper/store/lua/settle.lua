#!lua
-- Starts a match whose confirm is as durable as its mode asks, and tells the players.
-- REPLY  {started} | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started the match is told so again; the players are told once.
-- declared: handoffs.settle
-- include: time
-- include: number_in
-- include: history
local held = redis.call('HMGET', match, 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices', 'memory')
local state, claimed_by, ids, notices, memory = held[1], held[4], held[5], held[6], held[7]
if not state then return {'unknown_match'} end
if held[2] ~= epoch then return {'old_epoch'} end
if state == 'offered' or state == 'claimed' or held[3] ~= token then return {'not_claimed'} end
if state == 'started' then return {'started'} end
if state ~= 'confirmed' then return {'too_late'} end
-- include: started
note(history, now, 'started', 'match', match_id, 'pod', claimed_by)
return {'started'}
