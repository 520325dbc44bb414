#!lua
-- Takes many players out of the queue of one mode, because they ask to leave.
-- KEYS   1 queue:{tag}  2 metadata:{tag}  3 the stream of the requests  4 matched:{tag}  5 leaving:{tag}
--        6 history:{tag}
--        then for each request seen:{tag}:<fingerprint>, latest of the player and metadata:<player_id>
--        then, where players may wait in several queues, matched:{tag} and leaving:{tag} of the others
-- ARGV   1 msgpack {tag, group, memory_ms, others, and of each request, in lists: players, tokens,
--          entries; and repeats}; group, entries and repeats as in enqueue
--          others    how many other modes have their two keys at the end
-- REPLY  {code, detail, code, detail, …}, a pair for each request:
--          dequeued <pod> | again <pod> | duplicate (tell nobody) | not_in_queue
--          overtaken (tell nobody: the player has asked for something else since)
--          request_expired <pod> (read by a server that died, or sent first, too long ago to be done)
--          match_pending <match id>: too late for now, but if the match falls through the player
--          is not put back into this queue
-- AGAIN  safe: a request is remembered with its token, and the same token gets the same pair.
-- include: time
-- include: number_in
-- include: numbers
-- include: bulk
-- include: seen
-- include: sound
-- include: hand_made
-- include: leaving
-- include: history
-- include: history_of_many
local call = cmsgpack.unpack(ARGV[1])
local queue, metadata, matched, leaving, ids = KEYS[1], KEYS[2], KEYS[4], KEYS[5], call.players
call.stream, call.memory_ms = KEYS[3], memory_ms(call.memory_ms)
must_be_sound({queue}, {metadata, matched, leaving})
local pending = {{matched, leaving}}
for i = #KEYS - 2 * call.others + 1, #KEYS, 2 do
  if is_hash(KEYS[i]) and is_hash(KEYS[i + 1]) then pending[#pending + 1] = {KEYS[i], KEYS[i + 1]} end
end
local waiting, described, names = {}, {}, {}
for i, score in ipairs(ask_all(redis.call, 'ZMSCORE', queue, ids)) do waiting[ids[i]] = score end
for i, text in ipairs(ask_all(redis.call, 'HMGET', metadata, ids)) do described[ids[i]] = text end
for i = 1, #ids do names[2 * i - 1], names[2 * i] = KEYS[4 + 3 * i], KEYS[5 + 3 * i] end
recall(names)

-- The pod to tell: the one that put the player there.
local function pod_in(text)
  local readable, fields = pcall(cjson.decode, text or '')
  local pod = readable and type(fields) == 'table' and fields.pod_id
  return type(pod) == 'string' and pod or ''
end

-- Written together at the end, when all is decided.
local left, hand_made_left, marks = {}, {}, {}

local function decide(i)
  local player, hand_made = ids[i], KEYS[6 + 3 * i]
  if waiting[player] then
    waiting[player] = nil
    left[#left + 1], hand_made_left[#hand_made_left + 1] = player, hand_made
    return 'dequeued', pod_in(described[player] or hand_made_text(hand_made))
  end
  for _, place in ipairs(pending) do
    local match_id = redis.call('HGET', place[1], player)
    if match_id then
      marks[#marks + 1] = {place[2], player, match_id}
      return 'match_pending', match_id
    end
  end
  return 'not_in_queue', ''
end

local DONE = 'dequeued'

local function is_over()
  return false
end

local function too_late(i, latest, is_old)
  if older_than_latest(latest, call, i) and not latest_is_elsewhere(latest, call) then return 'overtaken', '' end
  if is_old then return 'request_expired', pod_in(described[ids[i]]) end
end

local answers = {}
-- include: outcomes
tell_all('ZREM', queue, left)
tell_all('HDEL', metadata, left)
for _, key in ipairs(hand_made_left) do drop_hand_made(key) end
for _, mark in ipairs(marks) do mark_leaving(mark[1], mark[2], mark[3], call.tag) end
acknowledge(call)
note_players(KEYS[6], now, 'dequeued', left)
return answers
