#!lua
-- Puts many tickets into the queue of one mode: players who come alone, and parties.
-- REPLY  {queue length, code, detail, code, detail, …}, a pair for each request:
--          queued <enqueue time> | again (sent twice: the first answer holds) | duplicate (another
--          server did it: tell nobody)
--          over (sent twice, and the first answer holds no more: tell what is true now)
--          overtaken (tell nobody: the player has asked for something else since, or was matched
--          or taken out)
--          request_expired (too long ago it was first sent, or read by a server that died)
--          already_in_queue | in_other_queue <tag> | match_pending <tag> <match id>
--          in_party <tag> <party> | id_in_use: a party's for a player, or the other way round
--          Of a party these four begin with the player who is the reason, and a line break.
--          overtaken_by <player, one a line>: these have asked for something else since, and are not told;
--          the others of the party are
--          mode_drained | queue_full: the same request, sent again, is decided anew
-- AGAIN  safe: a request is remembered with its token, and the same token gets the same pair.
-- declared: asked.enqueue
-- include: time
-- include: number_in
-- include: numbers
-- include: bulk
-- include: seen
-- include: places
-- include: sound
-- include: parties
-- include: history
-- include: history_of_many
local call = cmsgpack.unpack(packed)
call.stream, call.memory_ms = requests, memory_of(call.memory_ms)
must_be_sound({queue}, {metadata})

local ids, places, names, waiting = call.players, {{call.mode, matched, ''}}, {}, {}
for i = 1, #ids do names[2 * i - 1], names[2 * i] = KEYS[seen_key + i], KEYS[latest_key + i] end
-- include: other_places
-- include: standing

-- The players of parties stand behind the tickets: those of the i-th request behind `behind[i]`.
local everybody, behind, has_parties = ids, {}, members_count > 0
if has_parties then
  must_be_sound({}, {parties})
  everybody = {}
  for i = 1, #ids do everybody[i] = ids[i] end
  for i = 1, #ids do
    behind[i] = #everybody - #ids
    for _, player in ipairs(call.parties[i] and call.parties[i][1] or {}) do everybody[#everybody + 1] = player end
  end
  for k = 1, members_count do names[2 * #ids + k] = KEYS[member_latest + k] end
end
recall(names)
local pending = pending_matches(places, everybody)
-- Where players may wait in several queues, only a party that has the id of one is in the way.
local looks_elsewhere = has_parties or not call.several or redis.call('EXISTS', parties) == 1
local elsewhere = looks_elsewhere and other_queues(places, everybody) or {}
local in_party = in_parties(everybody)
local scores = ask_all(redis.call, 'ZMSCORE', queue, everybody)
for i = 1, #everybody do waiting[everybody[i]] = scores[i] end

-- The place of the next player, in microseconds. It is never before those who came earlier, although a
-- batch is spread over more microseconds than it took. A score from the future, put there by hand, does
-- not draw the others after it. Time may stand still, so `place` is the last one given in any queue.
local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2]
local given = tonumber(redis.pcall('HGET', clock, 'place') or nil) or 0
local place_us = math.max(math.floor(now * 1000000), given)
if last and tonumber(last) - now < 1 then
  place_us = math.max(place_us, math.floor(tonumber(last) * 1000000 + 0.5))
end

local function next_place()
  place_us = place_us + 1
  return string.format('%d.%06d', math.floor(place_us / 1000000), place_us % 1000000)
end

-- What an operator decided for the mode. A key of another type is somebody else's, and stops nobody.
local states = redis.pcall('HGET', modes, call.mode)
local is_drained = type(states) == 'string' and string.find(' ' .. states .. ' ', ' drained ', 1, true)
local room = call.longest > 0 and call.longest - redis.call('ZCARD', queue) or math.huge

-- These are written together at the end, and told after that: nobody is answered before being in the queue.
local queued, pods, standing, described, entered, together = {}, {}, {}, {}, {}, {}
local newcomers = 0 -- tickets in `standing`

-- Where a player is already; a party may wait in one queue only, whatever the settings allow.
local function where_is(player, is_party)
  if waiting[player] then return 'already_in_queue', '' end
  if in_party[player] then return 'in_party', in_party[player] end
  if pending[player] then return 'match_pending', pending[player] end
  if elsewhere[player] and (is_party or not call.several) then return 'in_other_queue', elsewhere[player] end
end

-- Whether the ticket that waits under this id, here or in another queue, is a party.
local function is_party_waiting(id)
  for _, each in ipairs(together) do
    if each[1] == id then return true end
  end
  if waiting[id] then return players_in(redis.call('HGET', metadata, id)) ~= nil end
  for i = 1, others_count do
    if ARGV[other_mode + i] == elsewhere[id] then
      return players_in(redis.pcall('HGET', KEYS[other_metadata + i], id)) ~= nil
    end
  end
end

local function why_not_alone(player)
  if (waiting[player] or elsewhere[player]) and is_party_waiting(player) then return 'id_in_use', '' end
  return where_is(player)
end

local function why_no_party(id, players)
  local own, is_same = call.mode .. ' ' .. id, true
  for _, player in ipairs(players) do is_same = is_same and in_party[player] == own end
  if in_party[id] or (waiting[id] and not is_same) then return 'id_in_use', '' end
  local code, detail = where_is(id, true)
  if code then return code, detail end
  for _, player in ipairs(players) do
    code, detail = where_is(player, true)
    if code then return code, player .. '\n' .. detail end
  end
end

local function put_together(i, players, place)
  local own = call.mode .. ' ' .. ids[i]
  for k, player in ipairs(players) do
    in_party[player] = own
    entered[#entered + 1], entered[#entered + 2] = player, own
    is_latest(names[2 * i - 1], KEYS[member_latest + behind[i] + k], call, i, '-', now, place)
  end
  together[#together + 1] = {ids[i], players, call.parties[i][2]}
end

local function why_not(i)
  if call.parties[i] then return why_no_party(ids[i], call.parties[i][1]) end
  return why_not_alone(ids[i])
end

local function decide(i)
  local id, players = ids[i], call.parties[i] and call.parties[i][1]
  local code, detail = why_not(i)
  if code then return code, detail end
  if is_drained then return 'mode_drained', '' end
  if newcomers >= room then return 'queue_full', '' end
  local place = next_place()
  newcomers = newcomers + 1
  waiting[id] = place
  standing[2 * newcomers - 1], standing[2 * newcomers] = place, id
  described[2 * newcomers - 1], described[2 * newcomers] = id, call.metadata[i]
  if players then
    put_together(i, players, place)
  else
    local n = #queued + 1
    queued[n], pods[n] = id, call.pods[i]
  end
  return 'queued', place
end

-- Where players may wait in several queues, a match ends what they asked of any mode before it was made.
-- Once it has started, it ends what they asked before its start, too: until then they could have nothing.
local function matched_since(i, nth)
  if marks_count == 0 then return false end
  local ms = tonumber(string.match(asked(call, i), '^(%d+)-'))
  local mark = ms and redis.pcall('GET', KEYS[last_match + nth])
  local at, match = string.match(type(mark) == 'string' and mark or '', '^(%d+) (.+)$')
  if not at then return false end
  if ms <= tonumber(at) then return true end
  local found = redis.pcall('HMGET', match, 'state', 'memory')
  local memory = found[1] == 'started' and number_in(found[2], 1, DAY * 1000)
  -- Its TTL was set at its start, so that what is gone of it says how long ago that was.
  return memory and ms <= redis_now * 1000 - (memory - redis.pcall('PTTL', match))
end

local DONE, SINCE = 'queued', 'over'
local IN_THE_WAY = {already_in_queue = true, in_other_queue = true, in_party = true, match_pending = true}

local function is_over(i, code, detail)
  local id = ids[i]
  if not IN_THE_WAY[code] then
    return (code == 'queued' or code == 'again') and not waiting[id] and not pending[id]
  end
  local is_code, is_detail = why_not(i)
  return is_code ~= code or is_detail ~= detail
end

local function is_somewhere(player, is_party)
  return waiting[player] or pending[player] or in_party[player]
    or elsewhere[player] and (is_party or not call.several)
end

-- Players of a party who have asked for something else since it was asked for, or were matched: what they
-- were told since holds. Of one that is too old, those who are somewhere, as far as anybody knows.
local function overtakers(i, is_old)
  if not call.parties[i] then return '' end
  local found = {}
  for k, player in ipairs(call.parties[i][1]) do
    local nth = behind[i] + k
    if older_than_latest(KEYS[member_latest + nth], call, i) or matched_since(i, #ids + nth)
      or is_old and is_somewhere(player, true) then
      found[#found + 1] = player
    end
  end
  return table.concat(found, '\n')
end

local function too_late(i, latest, is_old)
  local is_older = older_than_latest(latest, call, i) or matched_since(i, i)
  -- The player is in a queue or in a match: "not done" would be taken for being in none.
  if is_somewhere(ids[i], call.parties[i]) then
    -- After a request to another mode there is something to tell: where the player is.
    is_older = is_older and not latest_is_elsewhere(latest, call) or is_old
  end
  if is_older then return 'overtaken', '' end
  local by = overtakers(i, is_old)
  if by ~= '' then return 'overtaken_by', by end
  if is_old then return 'request_expired', '' end
end

local to_pod, to_result = unpack(call.channel)

local function tell_queued(player, pod, party)
  if not to_pod then return end
  redis.call('PUBLISH', to_pod .. pod .. to_result,
    '{"player_id":' .. cjson.encode(player) .. ',"result_type":"EnQueued"' .. party .. '}')
end

local answers = {0}
-- include: outcomes
tell_all('HSET', metadata, described)
tell_all('HSET', parties, entered)
tell_all('ZADD', queue, standing)
if newcomers > 0 then redis.pcall('HSET', clock, 'place', string.format('%.0f', place_us)) end
acknowledge(call)
for n, id in ipairs(queued) do tell_queued(id, pods[n], '') end
for _, each in ipairs(together) do
  local id, players, their_pods = unpack(each)
  local party = ',"party_id":' .. cjson.encode(id)
  for k, player in ipairs(players) do tell_queued(player, their_pods[k], party) end
  note_party(history, now, 'queued', id, players)
end
note_players(history, now, 'queued', queued)
redis.call('EXPIRE', history, 3600)
answers[1] = redis.call('ZCARD', queue)
return answers
