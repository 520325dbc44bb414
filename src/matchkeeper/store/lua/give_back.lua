#!lua
-- Ends a pending match: its players go back to the queues with the places they had. Players who
-- asked to leave a queue meanwhile do not go back into that one and are to be told so.
-- KEYS   1 remembered answer  2 match:{tag}:<match_id>  3 pending:{tag}  4 matched:{tag}
--        5 leaving:{tag}  6 history:{tag}  7 claimers:{tag}  8 queue:{tag}  9 metadata:{tag}, then
--        queue:{tag} and metadata:{tag} of the other modes, whose tags are in ARGV from 9 on
-- ARGV   1 memory in milliseconds  2 match id  3 epoch  4 cause  5 'due' = not before the deadline, 'now' = at once,
--        'leave' = at once, and its players do not go back into this queue
--        6 leases in a row that end without a start until claims are refused  7 for how many seconds
--        at first  8 and at most  9 the tag, and those of the other modes
-- REPLY  {given_back, number put back, [player, metadata, …] who left} | {gone, 0, []}
-- AGAIN  safe: the answer is remembered.
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: leaving
-- include: history
-- include: claimers
local answer = replayed()
if answer then return answer end
local threshold = bounded('leases in a row', ARGV[6], 1, 1e4)
local hold, longest_hold = bounded('refused for', ARGV[7], 0, DAY), bounded('refused for', ARGV[8], 0, DAY)
local match = redis.call('HMGET', KEYS[2], 'state', 'epoch', 'tickets', 'elsewhere', 'claimed_by', 'lease')
local deadline = redis.call('ZSCORE', KEYS[3], ARGV[2])
if (match[1] ~= 'offered' and match[1] ~= 'claimed') or match[2] ~= ARGV[3] or not deadline then
  return {'gone', 0, {}}
end
if ARGV[5] == 'due' and now < tonumber(deadline) then return {'gone', 0, {}} end

local queues = {}
for i = 9, #ARGV do
  local queue, metadata = KEYS[2 * i - 10], KEYS[2 * i - 9]
  if is_sound(queue, metadata) then queues[ARGV[i]] = {queue, metadata} end
end
must_be_sound({KEYS[8]}, {KEYS[9], KEYS[4], KEYS[5]})

-- A lease ran out without a start. From `threshold` on the claims of that pod are refused, for twice as
-- long with each further one. What was claimed before that counts no more, however many they were. The
-- key ends a day after the last failure; beyond a thousand pods all are forgotten, and learnt again.
local function count_failure(claimers, pod, claimed_at, threshold, first, longest)
  local pods = redis.pcall('HLEN', claimers)
  if type(pods) ~= 'number' then return end
  if pods >= 1000 then redis.call('UNLINK', claimers) end
  local count, since, till = failures_in(redis.pcall('HGET', claimers, pod))
  if till > 0 and claimed_at <= since then return end
  count = count + 1
  if count >= threshold then
    since, till = now, now + math.min(first * 2 ^ math.min(count - threshold, 30), longest)
  end
  write_failures(claimers, pod, count, since, till)
  redis.call('EXPIRE', claimers, 86400)
end

local back, left, marks = 0, {}, {}

local function put_back(tag, queue, metadata, id, score, text)
  if (ARGV[5] == 'leave' and tag == ARGV[9]) or asked_to_leave(marks[id], ARGV[2], tag) then
    left[#left + 1] = id
    left[#left + 1] = text
    return 0
  end
  redis.call('ZADD', queue, 'LT', score, id)
  if text ~= '' then redis.call('HSET', metadata, id, text) end
  return 1
end

local _, ids, scores, texts = unpack(cmsgpack.unpack(match[3]))
local is_readable, elsewhere = pcall(cmsgpack.unpack, match[4] or '')
for i, id in ipairs(ids) do
  marks[id] = redis.call('HGET', KEYS[5], id)
  back = back + put_back(ARGV[9], KEYS[8], KEYS[9], id, scores[i], texts[i])
  redis.call('HDEL', KEYS[4], id)
  redis.call('HDEL', KEYS[5], id)
end
for _, place in ipairs(is_readable and elsewhere or {}) do
  local keys = queues[place[1]]
  if keys then put_back(place[1], keys[1], keys[2], place[2], place[3], place[4]) end
end
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HSET', KEYS[2], 'state', 'given_back', 'cause', ARGV[4])
redis.call('HDEL', KEYS[2], 'tickets', 'notices', 'elsewhere')
redis.call('PEXPIRE', KEYS[2], remembered_ms)
if ARGV[4] == 'lease_expired' and match[5] then
  count_failure(KEYS[7], match[5], deadline - (number_in(match[6], 0, HOUR) or 0), threshold, hold, longest_hold)
end
note(KEYS[6], now, 'given_back', 'match', ARGV[2], 'detail', ARGV[4])
for i = 1, #left, 2 do note(KEYS[6], now, 'dequeued', 'players', left[i], 'match', ARGV[2]) end
return remember({'given_back', back, left})
