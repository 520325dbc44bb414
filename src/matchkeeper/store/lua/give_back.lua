#!lua
-- Ends a pending match. Its players go back to their queues, with the places they had. Players who
-- asked to leave a queue meanwhile do not go back into that one, and are to be told so.
-- REPLY  {given_back, players put back, [ticket, metadata, who left, …] of those who left} | {gone, 0, []}
--        Who left: the player of a party who asked to leave; empty where nobody alone did.
-- AGAIN  safe: the answer is remembered.
-- declared: given_back.give_back
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: leaving
-- include: bulk
-- include: parties
-- include: history
-- include: claimers
-- include: news
local answer = replayed()
if answer then return answer end
threshold = bounded('leases in a row', threshold, 1, 1e4)
refused_seconds = bounded('refused for', refused_seconds, 0, DAY)
longest_seconds = bounded('refused for', longest_seconds, 0, DAY)
news_ms = memory_of(news_ms)
local held = redis.call('HMGET', match, 'state', 'epoch', 'tickets', 'elsewhere', 'claimed_by', 'lease')
local deadline = redis.call('ZSCORE', pending, match_id)
if (held[1] ~= 'offered' and held[1] ~= 'claimed') or held[2] ~= epoch or not deadline then
  return {'gone', 0, {}}
end
if when == 'due' and now < tonumber(deadline) then return {'gone', 0, {}} end

local queues = {}
for i = 1, others_count do
  local zset, hash = KEYS[other_queue + i], KEYS[other_metadata + i]
  if is_sound(zset, hash) then queues[ARGV[other_mode + i]] = {zset, hash} end
end
must_be_sound({queue}, {metadata, matched, leaving})

-- Counts a lease that ran out without a start. From the `threshold`-th on, claims of that pod are refused,
-- for twice as long with each further lease. What the pod claimed before it was refused counts no more. The
-- key ends a day after the last failure. Beyond a thousand pods all are forgotten, and learnt again.
local function count_failure(pod, claimed_at)
  local pods = redis.pcall('HLEN', claimers)
  if type(pods) ~= 'number' then return end
  if pods >= 1000 then redis.call('UNLINK', claimers) end
  local count, since, till = failures_in(redis.pcall('HGET', claimers, pod))
  if till > 0 and claimed_at <= since then return end
  count = count + 1
  if count >= threshold then
    since, till = now, now + math.min(refused_seconds * 2 ^ math.min(count - threshold, 30), longest_seconds)
  end
  write_failures(claimers, pod, count, since, till)
  redis.call('EXPIRE', claimers, 86400)
end

local back, left, marks, together, told = 0, {}, {}, {}, {}

local players_of = {} -- ticket of a party -> its players

-- Who of a ticket asked to leave this queue; empty where the ticket itself leaves.
local function leaver(id, to)
  if (when == 'leave' and to == mode) or asked_to_leave(marks[id], match_id, to) then return '' end
  for _, player in ipairs(players_of[id] or {}) do
    if asked_to_leave(marks[player], match_id, to) then return player end
  end
end

local function put_back(to, zset, hash, id, score, text)
  local by = leaver(id, to)
  if by then
    local n = #left
    left[n + 1], left[n + 2], left[n + 3] = id, text, by
    add_news(told, to, '"DeQueued"', players_of[id] or {id}, players_of[id] and id, by)
    if to == mode and players_of[id] then together[#together + 1] = {mode .. ' ' .. id, players_of[id]} end
    return 0
  end
  redis.call('ZADD', zset, 'LT', score, id)
  if text ~= '' then redis.call('HSET', hash, id, text) end
  return #(players_of[id] or {id})
end

local _, ids, scores, texts = unpack(cmsgpack.unpack(held[3]))
local is_readable, elsewhere = pcall(cmsgpack.unpack, held[4] or '')
for i, id in ipairs(ids) do
  local players = players_in(texts[i])
  players_of[id] = players and ids_of(players)
  marks[id] = redis.call('HGET', leaving, id)
  for _, player in ipairs(players_of[id] or {}) do marks[player] = redis.call('HGET', leaving, player) end
  back = back + put_back(mode, queue, metadata, id, scores[i], texts[i])
  redis.call('HDEL', matched, id)
  redis.call('HDEL', leaving, id, unpack(players_of[id] or {}))
end
for _, place in ipairs(is_readable and elsewhere or {}) do
  local keys = queues[place[1]]
  if keys then put_back(place[1], keys[1], keys[2], place[2], place[3], place[4]) end
end
leave_parties(parties, together)
keep_news(told, news_ms)
redis.call('ZREM', pending, match_id)
redis.call('HSET', match, 'state', 'given_back', 'cause', cause)
redis.call('HDEL', match, 'tickets', 'notices', 'elsewhere', 'seating')
redis.call('PEXPIRE', match, remembered_ms)
if cause == 'lease_expired' and held[5] then
  count_failure(held[5], deadline - (number_in(held[6], 0, HOUR) or 0))
end
note(history, now, 'given_back', 'match', match_id, 'detail', cause)
for i = 1, #left, 3 do
  local players = table.concat(players_of[left[i]] or {left[i]}, '\n')
  note(history, now, 'dequeued', 'players', players, 'match', match_id)
end
return remember({'given_back', back, left})
