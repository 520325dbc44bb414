#!lua
-- Takes many players out of the queue of one mode, because they ask to leave.
-- KEYS   1 queue:{tag}  2 metadata:{tag}  3 match:requests:{tag}  4 matched:{tag}  5 leaving:{tag}
--        then for each request seen:{tag}:<fingerprint> and metadata:<player_id>
-- ARGV   1 msgpack {me, group, window_seconds, memory_ms, requests: [{player, token, entry, has_id}]}
-- REPLY  {code, detail, code, detail, …}, a pair for each request:
--          dequeued <pod> | again <pod> | duplicate (tell nobody) | not_in_queue
--          match_pending <match id>: too late for now, but if the match falls through the player
--          is not put back
-- AGAIN  safe: a request is remembered with its token, and the same token gets the same pair.
-- include: time
-- include: seen
-- include: sound
-- include: hand_made
local call = cmsgpack.unpack(ARGV[1])
local queue, metadata, stream, matched, leaving = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = unix_seconds()
must_be_sound({queue}, {metadata, matched, leaving})

-- The pod to tell: the one that put the player there.
local function pod_in(text)
  local readable, fields = pcall(cjson.decode, text)
  local pod = readable and type(fields) == 'table' and fields.pod_id
  return type(pod) == 'string' and pod or ''
end

local function decide(request, hand_made)
  if redis.call('ZREM', queue, request.player) == 1 then
    local text = redis.call('HGET', metadata, request.player) or hand_made_text(hand_made) or ''
    redis.call('HDEL', metadata, request.player)
    drop_hand_made(hand_made)
    return 'dequeued', pod_in(text)
  end
  local match_id = redis.call('HGET', matched, request.player)
  if match_id then
    redis.call('HSET', leaving, request.player, match_id)
    return 'match_pending', match_id
  end
  return 'not_in_queue', ''
end

local function handle(key, request, hand_made)
  local seen, code, detail = seen_before(key, request, call, now)
  local mine = acknowledge(stream, call.group, request)
  if seen == 'same' then return code, detail end
  if seen == 'elsewhere' or not mine then return 'duplicate', '' end
  if seen == 'again' and (request.has_id or not redis.call('ZSCORE', queue, request.player)) then
    return remember_request(key, request, call, code == 'dequeued' and 'again' or code, detail, now)
  end
  code, detail = decide(request, hand_made)
  return remember_request(key, request, call, code, detail, now)
end

local answers = {}
for i, request in ipairs(call.requests) do
  answers[2 * i - 1], answers[2 * i] = handle(KEYS[4 + 2 * i], request, KEYS[5 + 2 * i])
end
return answers
