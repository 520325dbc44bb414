#!lua
-- Takes many tickets out of the queue of one mode, because they or their players ask to leave. Of a
-- party the detail says who is to be told: a line break, and [party, [[player, pod], …]] as JSON.
-- REPLY  {code, detail, code, detail, …}, a pair for each request:
--          dequeued <pod> | again <pod> | duplicate (tell nobody) | not_in_queue
--          over (sent twice; it was answered match_pending, and that match is over: tell what is true now)
--          overtaken (tell nobody: the player has asked for something else since)
--          request_expired <pod> (too long ago it was first sent, or read by a server that died)
--          match_pending <match id>: too late for now, but if the match falls through, the player
--          is not put back into this queue
-- AGAIN  safe: a request is remembered with its token, and the same token gets the same pair.
-- declared: asked.dequeue
-- include: time
-- include: number_in
-- include: numbers
-- include: bulk
-- include: seen
-- include: sound
-- include: hand_made
-- include: leaving
-- include: parties
-- include: history
-- include: history_of_many
-- include: news
local call = cmsgpack.unpack(packed)
local ids = call.players
call.stream, call.memory_ms, call.news_ms = requests, memory_of(call.memory_ms), memory_of(call.news_ms)
must_be_sound({queue}, {metadata, matched, leaving})
local pending = {{matched, leaving}}
for i = 1, others_count do
  local place = {KEYS[other_matched + i], KEYS[other_leaving + i]}
  if is_hash(place[1]) and is_hash(place[2]) then pending[#pending + 1] = place end
end
local waiting, described, names = {}, {}, {}
for i, score in ipairs(ask_all(redis.call, 'ZMSCORE', queue, ids)) do waiting[ids[i]] = score end
for i, text in ipairs(ask_all(redis.call, 'HMGET', metadata, ids)) do described[ids[i]] = text end
for i = 1, #ids do names[2 * i - 1], names[2 * i] = KEYS[seen_key + i], KEYS[latest_key + i] end
recall(names)

-- Who is in a party of this mode: player -> party. Where it stands, what is known of it is looked up as well.
local party_of, theirs = {}, {}
for i, place in ipairs(party_places(parties, ids)) do
  local mode, party = parts_of(place or '')
  if mode == call.mode then party_of[ids[i]], theirs[#theirs + 1] = party, party end
end
if #theirs > 0 then
  for i, score in ipairs(ask_all(redis.call, 'ZMSCORE', queue, theirs)) do waiting[theirs[i]] = score end
  for i, text in ipairs(ask_all(redis.call, 'HMGET', metadata, theirs)) do described[theirs[i]] = text end
end

-- The pod to tell: the one that enqueued the player.
local function pod_in(text)
  local readable, fields = pcall(cjson.decode, text or '')
  local pod = readable and type(fields) == 'table' and fields.pod_id
  return type(pod) == 'string' and pod or ''
end

-- These are written together at the end, when all is decided.
local left, hand_made_left, marks, alone, together = {}, {}, {}, {}, {}

local function take_out(id, text, by)
  waiting[id] = nil
  left[#left + 1] = id
  local players = players_in(text)
  if not players then
    alone[#alone + 1] = id
    return 'dequeued', pod_in(text)
  end
  together[#together + 1] = {call.mode .. ' ' .. id, ids_of(players), id, by}
  return 'dequeued', '\n' .. cjson.encode({id, players})
end

-- The pending match that a player or the party is in, and its keys.
local function pending_match(player, party)
  for n, place in ipairs(pending) do
    local match_id = redis.call('HGET', place[1], player)
    if not match_id and party and n == 1 then match_id = redis.call('HGET', place[1], party) end
    if match_id then return match_id, place end
  end
end

local function decide(i)
  local player, hand_made = ids[i], KEYS[hand_made_metadata + i]
  if waiting[player] then
    hand_made_left[#hand_made_left + 1] = hand_made
    return take_out(player, described[player] or hand_made_text(hand_made), '')
  end
  local party = party_of[player]
  if party and waiting[party] then return take_out(party, described[party], player) end
  local match_id, place = pending_match(player, party)
  if not match_id then return 'not_in_queue', '' end
  marks[#marks + 1] = {place[2], player, match_id}
  return 'match_pending', match_id
end

local DONE, SINCE = 'dequeued', 'overtaken'

local function is_over(i, code, detail)
  return code == 'match_pending' and pending_match(ids[i], party_of[ids[i]]) ~= detail
end

local function too_late(i, latest, is_old)
  if older_than_latest(latest, call, i) and not latest_is_elsewhere(latest, call) then return 'overtaken', '' end
  if not is_old then return nil end
  for _, each in ipairs(players_in(described[party_of[ids[i]] or '']) or {}) do
    if each[1] == ids[i] then return 'request_expired', each[2] end
  end
  return 'request_expired', pod_in(described[ids[i]])
end

local answers = {}
-- include: outcomes
tell_all('ZREM', queue, left)
tell_all('HDEL', metadata, left)
for _, key in ipairs(hand_made_left) do drop_hand_made(key) end
for _, mark in ipairs(marks) do mark_leaving(mark[1], mark[2], mark[3], call.mode) end
leave_parties(parties, together)
local gone = {}
add_news(gone, call.mode, '"DeQueued"', alone)
for _, each in ipairs(together) do add_news(gone, call.mode, '"DeQueued"', each[2], each[3], each[4]) end
keep_news(gone, call.news_ms)
acknowledge(call)
note_players(history, now, 'dequeued', alone)
for _, each in ipairs(together) do
  local _, players, id, by = unpack(each)
  if by == '' then
    note_party(history, now, 'dequeued', id, players)
  else
    note_party(history, now, 'dequeued', id, players, 'detail', 'left by ' .. by)
  end
end
return answers
