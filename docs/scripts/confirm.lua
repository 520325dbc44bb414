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
local match = KEYS[1] -- match:{mode}:<match_id>
local pending = KEYS[2] -- pending:{mode}
local matched = KEYS[3] -- matched:{mode}
local leaving = KEYS[4] -- leaving:{mode}
local history = KEYS[5] -- history:{mode}
local claimers = KEYS[6] -- claimers:{mode}
local clock = KEYS[7] -- clock
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

-- The number that a text says. It is nil where the text says none, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
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
-- The last step of a match: its players are free for others, and are told which pod starts it. These are
-- statements. Keys and arguments are those of confirm and settle, which also set `claimed_by`, `ids`,
-- `notices` and `memory` as they stand in the match. Needs: number_in
-- A key of another type than ours ends the script here, before it has changed anything.
local is_any = redis.call('EXISTS', leaving, claimers) > 0
local some_leave = is_any and redis.call('HLEN', leaving) > 0
local players, together = cmsgpack.unpack(ids)
local pod = cjson.encode(claimed_by)
redis.call('HDEL', matched, unpack(players))
redis.call('HSET', match, 'state', 'started')
redis.call('HDEL', match, 'tickets', 'notices', 'elsewhere')
redis.call('PEXPIRE', match, number_in(memory, 1, 86400 * 1000) or 120000)
redis.call('ZREM', pending, match_id)
if is_any and claimed_by then redis.pcall('HDEL', claimers, claimed_by) end -- it starts what it claims
if some_leave then redis.call('HDEL', leaving, unpack(players)) end
for _, party in ipairs(together or {}) do
  if some_leave then redis.call('HDEL', leaving, unpack(party[2])) end
  -- The index has the name that the clock has in its realm: a game server names no key for it. Where that
  -- may not write it, the servers sweep it.
  redis.pcall('HDEL', 'parties' .. string.sub(clock, #'clock' + 1), unpack(party[2]))
end
for _, notice in ipairs(cmsgpack.unpack(notices)) do
  local payload = notice[2]
  local first, last = string.find(payload, '"claimed_by":null', 1, true)
  if first then payload = string.sub(payload, 1, last - 4) .. pod .. string.sub(payload, last + 1) end
  redis.call('PUBLISH', notice[1], payload)
end

note(history, now, 'started', 'match', match_id, 'pod', claimed_by)
return {'started'}
