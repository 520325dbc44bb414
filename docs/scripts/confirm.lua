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

-- The number that a text says; nil where it says none, none that is finite, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
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
-- The last step of a match: its players are free for others, and are told which pod starts it. These
-- are statements, for confirm and settle: KEYS and ARGV are theirs, and so are `claimed_by`, `ids`, `notices`
-- and `memory` as they stand in the match. Needs: number_in
-- A key of another type than ours ends the script here, before it has changed anything.
local is_any = redis.call('EXISTS', KEYS[4], KEYS[6]) > 0
local some_leave = is_any and redis.call('HLEN', KEYS[4]) > 0
local players, pod = cmsgpack.unpack(ids), cjson.encode(claimed_by)
redis.call('HDEL', KEYS[3], unpack(players))
redis.call('HSET', KEYS[1], 'state', 'started')
redis.call('HDEL', KEYS[1], 'tickets', 'notices', 'elsewhere')
redis.call('PEXPIRE', KEYS[1], number_in(memory, 1, 86400 * 1000) or 120000)
redis.call('ZREM', KEYS[2], ARGV[1])
if is_any and claimed_by then redis.pcall('HDEL', KEYS[6], claimed_by) end -- it starts what it claims
if some_leave then redis.call('HDEL', KEYS[4], unpack(players)) end
for _, notice in ipairs(cmsgpack.unpack(notices)) do
  local payload = notice[2]
  local first, last = string.find(payload, '"claimed_by":null', 1, true)
  if first then payload = string.sub(payload, 1, last - 4) .. pod .. string.sub(payload, last + 1) end
  redis.call('PUBLISH', notice[1], payload)
end

note(KEYS[5], now, 'started', 'match', ARGV[1], 'pod', claimed_by)
return {'started'}
