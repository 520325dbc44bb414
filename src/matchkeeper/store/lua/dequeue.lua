#!lua
-- Takes many players out of the queue of one mode, because they ask to leave.
-- KEYS   1 queue:{tag}  2 metadata:{tag}  3 match:requests:{tag}  4 matched:{tag}  5 leaving:{tag}
--        6 history:{tag}
--        then for each request seen:{tag}:<fingerprint>, latest:{tag}:<player> and metadata:<player_id>
--        then, where players may wait in several queues, matched:{tag} and leaving:{tag} of the others
-- ARGV   1 msgpack {me, group, window_seconds, memory_ms, tag, others, and of each request, in lists:
--          players, tokens, entries, have_ids}
--          others    how many other modes have their two keys at the end
-- REPLY  {code, detail, code, detail, …}, a pair for each request:
--          dequeued <pod> | again <pod> | duplicate (tell nobody) | not_in_queue
--          overtaken (tell nobody: the player has asked for something else since)
--          request_expired <pod> (read by a server that died, and too old to be done by another)
--          match_pending <match id>: too late for now, but if the match falls through the player
--          is not put back into this queue
-- AGAIN  safe: a request is remembered with its token, and the same token gets the same pair.
-- include: time
-- include: bulk
-- include: seen
-- include: sound
-- include: hand_made
-- include: leaving
-- include: history
local call = cmsgpack.unpack(ARGV[1])
local queue, metadata, stream, matched, leaving, left = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], {}
local now = unix_seconds()
must_be_sound({queue}, {metadata, matched, leaving})
local pending = {{matched, leaving}}
for i = #KEYS - 2 * call.others + 1, #KEYS, 2 do
  if is_hash(KEYS[i]) and is_hash(KEYS[i + 1]) then pending[#pending + 1] = {KEYS[i], KEYS[i + 1]} end
end

-- The pod to tell: the one that put the player there.
local function pod_in(text)
  local readable, fields = pcall(cjson.decode, text)
  local pod = readable and type(fields) == 'table' and fields.pod_id
  return type(pod) == 'string' and pod or ''
end

local function decide(player, hand_made)
  if redis.call('ZREM', queue, player) == 1 then
    local text = redis.call('HGET', metadata, player) or hand_made_text(hand_made) or ''
    redis.call('HDEL', metadata, player)
    drop_hand_made(hand_made)
    left[#left + 1] = player
    return 'dequeued', pod_in(text)
  end
  for _, place in ipairs(pending) do
    local match_id = redis.call('HGET', place[1], player)
    if match_id then
      mark_leaving(place[2], player, match_id, call.tag)
      return 'match_pending', match_id
    end
  end
  return 'not_in_queue', ''
end

local names = {}
for i = 1, #call.players do names[2 * i - 1], names[2 * i] = KEYS[4 + 3 * i], KEYS[5 + 3 * i] end
recall(names)
local mine, too_old = take(stream, call, now)

local function handle(i, player)
  local key, latest, hand_made = names[2 * i - 1], names[2 * i], KEYS[6 + 3 * i]
  local seen, code, detail = seen_before(key, latest, call, i, now)
  if seen == 'same' then return code, detail end
  if seen == 'elsewhere' or not mine[i] then return 'duplicate', '' end
  local left_before = code == 'dequeued' or code == 'again'
  if seen == 'again' and call.have_ids[i] then
    if another_since(key, latest) then return overtaken(key, latest, call) end
    return remember_request(key, latest, call, i, left_before and 'again' or code, detail, now)
  end
  if older_than_latest(latest, call.entries[i]) then
    return remember_request(key, latest, call, i, 'overtaken', '', now)
  end
  if too_old[i] and not seen then
    local pod = pod_in(redis.call('HGET', metadata, player) or '')
    return remember_request(key, latest, call, i, 'request_expired', pod, now)
  end
  note_latest(key, latest, call.entries[i], now)
  local decided, about = decide(player, hand_made)
  -- The same text is a new wish wherever the player is now; nowhere, the first answer still holds.
  if decided ~= 'not_in_queue' or not left_before then code, detail = decided, about
  else code = 'again' end
  return remember_request(key, latest, call, i, code, detail, now)
end

local answers = {}
for i, player in ipairs(call.players) do answers[2 * i - 1], answers[2 * i] = handle(i, player) end
write_kept(call)
note_players(KEYS[6], now, 'dequeued', left)
return answers
