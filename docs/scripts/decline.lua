#!lua
-- The game server that claimed a match gives it back, so that it is offered again at once. That is
-- possible after the confirm, too, until the match is settled.
-- REPLY  {declined} | {started}: too late, it was settled | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined the match is told so again, until it is offered again.
local match = KEYS[1] -- match:{mode}:<match_id>
local pending = KEYS[2] -- pending:{mode}
local history = KEYS[3] -- history:{mode}
local clock = KEYS[4] -- clock
local match_id = ARGV[1]
local epoch = ARGV[2]
local pod_id = ARGV[3]
local token = ARGV[4]
-- `now` is the time that counts, in Unix seconds: the clock of Redis, the only one that two servers share,
-- with its steps bridged. It stands still from a step until a server has noticed it (clock.lua). Every
-- script reads it once, so these are statements, which cost less than a function.
-- `redis_now` is that clock as it is. It is believed between `from` and `to`, and `offset` is added to it.
-- These three stand in one packed field of the key `clock`, and are nil where no server has written it.
local time, belief = redis.call('TIME'), redis.pcall('HGET', clock, 'belief')
local redis_now, from, to, offset = time[1] + time[2] / 1000000
local now = redis_now
if type(belief) == 'string' and #belief == 24 then
  from, to, offset = struct.unpack('<ddd', belief)
  now = (now < from and from or now > to and to or now) + offset
end

-- history:{tag} is a stream of what happened, for people to look up and for the servers' figures.
-- Nobody's safety relies on it, so an error here is passed over. The fields are `what` and, where they say
-- something, `players`, `party`, `match`, `pod` and `detail`. Players are one a line. Matches are one a line, too,
-- with an empty line between their players. An entry that names players is about these alone.
-- The stream is bounded to 32 MiB. An entry counts 64 bytes and its texts, and 512 bytes at least; the
-- stream has no more entries than would fit if all were like the newest.
local function note(history, now, what, ...)
  local most, _, one, _, two, _, three = 65536, ...
  local size = 64 + #one + #(two or '') + #(three or '')
  if size > 512 then most = math.floor(65536 * 512 / size) end
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', most, id, 'what', what, ...)
  if type(added) == 'table' and added.err then -- the clock has stepped back
    redis.pcall('XADD', history, 'MAXLEN', '~', most, '*', 'what', what, ...)
  end
end

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
