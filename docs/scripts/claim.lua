#!lua
-- One game server takes an offered match, before the offer ends. It must confirm the start within the
-- lease of the mode.
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this game server claimed matches and started none; its claims are refused for a while
-- AGAIN  safe: the token that claimed the match is told so again.
local match = KEYS[1] -- match:{mode}:<match_id>
local pending = KEYS[2] -- pending:{mode}
local history = KEYS[3] -- history:{mode}
local claimers = KEYS[4] -- claimers:{mode}
local clock = KEYS[5] -- clock
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

local held = redis.call('HMGET', match, 'state', 'epoch', 'token', 'lease')
local state, claim, lease = held[1], held[3], number_in(held[4], 0, 3600) or 10
local is_taken = state == 'claimed' or state == 'confirmed' or state == 'started'
local deadline = redis.call('ZSCORE', pending, match_id)
local code = 'claimed'
if not state then code = 'unknown_match'
elseif held[2] ~= epoch then code = 'old_epoch'
elseif is_taken and claim ~= token then code = 'already_claimed'
elseif state == 'claimed' then
  redis.call('HSET', match, 'token', claim) -- a write, for WAITAOF and WAIT behind it
elseif state ~= 'offered' or not deadline or now > tonumber(deadline) then code = 'too_late'
else
  local failed = redis.pcall('HGET', claimers, pod_id)
  if failed then
-- claimers:{tag} remembers game servers that claimed matches and did not start them: pod -> "<matches
-- in a row> <since> <until>". Between these two, in Unix seconds, its claims are refused; both are 0 while
-- they are not. What cannot be read counts as unknown.
local function failures_in(held)
  local count, since, till = string.match(type(held) == 'string' and held or '', '^(%d+) ([%d.]+) ([%d.]+)$')
  return tonumber(count) or 0, tonumber(since) or 0, tonumber(till) or 0
end

local function write_failures(claimers, pod, count, since, till)
  redis.call('HSET', claimers, pod, string.format('%d %.6f %.6f', count, since, till))
end

    local count, since, till = failures_in(failed)
    -- Once that time is over, one claim is let through. Others follow when it is known what came of
    -- that one. After a step back of the clock nobody is refused.
    if till > 0 and now >= since then
      if now < till then code = 'refused'
      else write_failures(claimers, pod_id, count, since, now + lease) end
    end
  end
  if code == 'claimed' then
    redis.call('HSET', match, 'state', 'claimed', 'claimed_by', pod_id, 'token', token)
    redis.call('ZADD', pending, now + lease, match_id)
    note(history, now, 'claimed', 'match', match_id, 'pod', pod_id)
  end
end
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(history, now, 'claim_refused', 'match', match_id, 'pod', pod_id, 'detail', code)
end
return {code}
