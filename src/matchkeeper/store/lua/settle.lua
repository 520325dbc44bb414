#!lua
-- A confirmed start is as durable as its mode asks: it is started, and the players are told.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 matched:{tag}  4 leaving:{tag}
--        5 history:{tag}  6 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {started} | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started it is told so; the players are told once.
-- include: time
-- include: number_in
-- include: history
local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices', 'memory')
local state, claimed_by, ids, notices, memory = match[1], match[4], match[5], match[6], match[7]
if not state then return {'unknown_match'} end
if match[2] ~= ARGV[2] then return {'old_epoch'} end
if state == 'offered' or state == 'claimed' or match[3] ~= ARGV[4] then return {'not_claimed'} end
if state == 'started' then return {'started'} end
if state ~= 'confirmed' then return {'too_late'} end
-- include: started
note(KEYS[5], now, 'started', 'match', ARGV[1], 'pod', claimed_by)
return {'started'}
