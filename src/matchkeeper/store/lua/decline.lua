#!lua
-- The game server that claimed a match will not start it: it is due at once for another offer. It can
-- be declined after its confirm, too, until it is settled.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {declined} | {started}: too late, it was settled | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined it is told declined, until it is offered again.
-- include: time
-- include: history
local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'declined')
local state, epoch, token = match[1], match[2], match[3]
if not state then return {'unknown_match'} end
if epoch ~= ARGV[2] then return {'old_epoch'} end
if match[4] == ARGV[4] then return {'declined'} end
if state == 'offered' then return {'not_claimed'} end
if state == 'started' and token == ARGV[4] then return {'started'} end
if state ~= 'claimed' and state ~= 'confirmed' then return {'too_late'} end
if token ~= ARGV[4] then return {'not_claimed'} end
redis.call('HDEL', KEYS[1], 'token', 'claimed_by')
redis.call('HSET', KEYS[1], 'state', 'offered', 'declined', ARGV[4], 'declined_by', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
note(KEYS[3], now, 'declined', 'match', ARGV[1], 'pod', ARGV[3])
return {'declined'}
