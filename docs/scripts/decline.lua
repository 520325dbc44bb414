#!lua
-- The game server that claimed a match will not start it: it is due at once for another offer. It can
-- be declined after its confirm, too, until it is settled.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {declined} | {started}: too late, it was settled | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined it is told declined, until it is offered again.
-- `now`: the time that counts, in Unix seconds. It is the clock of Redis, the only one that two servers
-- share, with its steps bridged; it stands still between a step and the moment in which a server has
-- noticed it (clock.lua). Every script reads it once, so these are statements: functions cost more.
-- `redis_now` is that clock as it is. Between `from` and `to` it is believed, and `offset` is how far off
-- it is taken to be; nil where nobody has said so. They are one packed field. The key is not among
-- KEYS: it is the same for all scripts.
local time, belief = redis.call('TIME'), redis.pcall('HGET', 'clock', 'belief')
local redis_now, from, to, offset = time[1] + time[2] / 1000000
local now = redis_now
if type(belief) == 'string' and #belief == 24 then
  from, to, offset = struct.unpack('<ddd', belief)
  now = (now < from and from or now > to and to or now) + offset
end

-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. The fields are what, and
-- where they say something players, match, pod and detail. Players are one a line; matches are one a
-- line, too, with an empty line between their players. An entry that names players is about these alone.
-- It is bounded to 32 MiB: an entry counts as what it takes, 64 bytes and its texts, as 512 bytes at least,
-- and the stream has no more entries than would fit if all were like the newest.
local function note(history, now, what, ...)
  local most, _, one, _, two, _, three = 65536, ...
  local size = 64 + #one + #(two or '') + #(three or '')
  if size > 512 then most = math.floor(65536 * 512 / size) end
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', most, id, 'what', what, ...)
  if type(added) == 'table' and added.err then -- the clock has gone back
    redis.pcall('XADD', history, 'MAXLEN', '~', most, '*', 'what', what, ...)
  end
end

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
