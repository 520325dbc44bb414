#!lua
-- A game server takes an offered match: once, for one server, before the offer ends.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}  4 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token  5 lease in seconds
-- REPLY  {claimed} | {already_claimed} | {old_epoch} | {too_late} | {unknown_match}
--          {refused}: this server has claimed matches and started none; for a while it may not
-- AGAIN  safe: the token that claimed it is told claimed.
-- The clock of Redis, the only one that two servers share: Unix time in seconds.
local function unix_seconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. The fields are what, and
-- where they say something players, match, pod and detail. Players are one a line; matches are one a
-- line, too, with an empty line between their players.
local function note(history, now, ...)
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', '100000', id, 'what', ...)
  if type(added) == 'table' and added.err then -- the clock has gone back
    redis.pcall('XADD', history, 'MAXLEN', '~', '100000', '*', 'what', ...)
  end
end

-- Many players at once, in entries of a bounded size.
local function note_players(history, now, what, players)
  for first = 1, #players, 100 do
    local some = table.concat(players, '\n', first, math.min(first + 99, #players))
    note(history, now, what, 'players', some)
  end
end

-- Many matches at once: `matches` are their ids, `players` those of each as text.
local function note_matches(history, now, what, matches, players)
  for first = 1, #matches, 50 do
    local last = math.min(first + 49, #matches)
    note(history, now, what, 'players', table.concat(players, '\n\n', first, last),
      'match', table.concat(matches, '\n', first, last))
  end
end

-- claimers:{tag} remembers game servers that claimed matches and did not start them: pod -> "<matches
-- in a row> <since> <until>", between which its claims are refused, in Unix seconds; 0 and 0 while they
-- are not. What cannot be read counts as unknown.
local function failures_of(claimers, pod)
  local held = redis.pcall('HMGET', claimers, pod)[1]
  local count, since, till = string.match(held or '', '^(%d+) ([%d.]+) ([%d.]+)$')
  return tonumber(count) or 0, tonumber(since) or 0, tonumber(till) or 0
end

local function write_failures(claimers, pod, count, since, till)
  redis.call('HSET', claimers, pod, string.format('%d %.6f %.6f', count, since, till))
end

local now = unix_seconds()

-- When the time is over one claim is let through, and others only once it is known what came of it. A
-- clock that has gone back refuses nobody.
local function is_refused(claimers, pod, lease)
  local count, since, till = failures_of(claimers, pod)
  if till == 0 or now < since then return false end
  if now < till then return true end
  write_failures(claimers, pod, count, since, now + lease)
  return false
end

local function claim()
  local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token')
  local state, epoch, token = match[1], match[2], match[3]
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  if state == 'claimed' then
    if token ~= ARGV[4] then return 'already_claimed' end
    redis.call('HSET', KEYS[1], 'token', token) -- a write, for WAITAOF and WAIT behind it
    return 'claimed'
  end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if state ~= 'offered' or not deadline or now > tonumber(deadline) then return 'too_late' end
  if is_refused(KEYS[4], ARGV[3], tonumber(ARGV[5])) then return 'refused' end
  redis.call('HSET', KEYS[1], 'state', 'claimed', 'claimed_by', ARGV[3], 'token', ARGV[4],
    'claimed_at', string.format('%.6f', now))
  redis.call('ZADD', KEYS[2], string.format('%.6f', now + tonumber(ARGV[5])), ARGV[1])
  note(KEYS[3], now, 'claimed', 'match', ARGV[1], 'pod', ARGV[3])
  return 'claimed'
end

local code = claim()
if code ~= 'claimed' and code ~= 'already_claimed' and code ~= 'refused' then
  note(KEYS[3], now, 'claim_refused', 'match', ARGV[1], 'pod', ARGV[3], 'detail', code)
end
return {code}
