#!lua
-- The game server that claimed a match will not start it: it is due at once for another offer.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 history:{tag}
-- ARGV   1 match id  2 epoch  3 pod id  4 token
-- REPLY  {declined} | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that declined it is told declined, until it is offered again.
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

local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'declined')
local state, epoch, token = match[1], match[2], match[3]
if not state then return {'unknown_match'} end
if epoch ~= ARGV[2] then return {'old_epoch'} end
if match[4] == ARGV[4] then return {'declined'} end
if state == 'offered' then return {'not_claimed'} end
if state ~= 'claimed' then return {'too_late'} end
if token ~= ARGV[4] then return {'not_claimed'} end
redis.call('HDEL', KEYS[1], 'token', 'claimed_by')
redis.call('HSET', KEYS[1], 'state', 'offered', 'declined', ARGV[4], 'declined_by', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
note(KEYS[3], unix_seconds(), 'declined', 'match', ARGV[1], 'pod', ARGV[3])
return {'declined'}
