#!lua
-- Puts many players into the queue of one mode.
-- REPLY  {queue length, code, detail, code, detail, …}, a pair for each request:
--          queued <enqueue time> | again (sent twice: the first answer holds) | duplicate (another
--          server did it: tell nobody)
--          overtaken (tell nobody: the player has asked for something else since, or was matched
--          or taken out)
--          request_expired (too long ago it was first sent, or read by a server that died)
--          already_in_queue | in_other_queue <tag> | match_pending <tag> <match id>
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
-- include: history
-- include: history_of_many
local call = cmsgpack.unpack(packed)
call.stream, call.memory_ms = requests, memory_of(call.memory_ms)
must_be_sound({queue}, {metadata})

local ids, places, names, waiting = call.players, {{call.mode, matched, ''}}, {}, {}
for i = 1, #ids do names[2 * i - 1], names[2 * i] = KEYS[seen_key + i], KEYS[latest_key + i] end
-- include: other_places
recall(names)
local pending = pending_matches(places, ids)
local elsewhere = call.several and {} or other_queues(places, ids)
local scores = ask_all(redis.call, 'ZMSCORE', queue, ids)
for i = 1, #ids do waiting[ids[i]] = scores[i] end

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
local queued, standing, described, told = {}, {}, {}, {}

local function decide(i)
  local player = ids[i]
  if waiting[player] then return 'already_in_queue', '' end
  if pending[player] then return 'match_pending', pending[player] end
  if elsewhere[player] then return 'in_other_queue', elsewhere[player] end
  if is_drained then return 'mode_drained', '' end
  if #queued >= room then return 'queue_full', '' end
  local place, n = next_place(), #queued + 1
  waiting[player], queued[n] = place, player
  standing[2 * n - 1], standing[2 * n] = place, player
  described[2 * n - 1], described[2 * n] = player, call.metadata[i]
  if call.channels[i] ~= '' then told[#told + 1] = i end
  return 'queued', place
end

-- Where players may wait in several queues, a match ends what they asked of any mode before it was made.
-- Once it has started, it ends what they asked before its start, too: until then they could have nothing.
local function matched_since(i)
  if marks_count == 0 then return false end
  local ms = tonumber(string.match(asked(call, i), '^(%d+)-'))
  local mark = ms and redis.pcall('GET', KEYS[last_match + i])
  local at, match = string.match(type(mark) == 'string' and mark or '', '^(%d+) (.+)$')
  if not at then return false end
  if ms <= tonumber(at) then return true end
  local found = redis.pcall('HMGET', match, 'state', 'memory')
  local memory = found[1] == 'started' and number_in(found[2], 1, DAY * 1000)
  -- Its TTL was set at its start, so that what is gone of it says how long ago that was.
  return memory and ms <= redis_now * 1000 - (memory - redis.pcall('PTTL', match))
end

local DONE = 'queued'

local function is_over(i, code)
  local player = ids[i]
  return (code == 'queued' or code == 'again') and not waiting[player] and not pending[player]
end

local function too_late(i, latest, is_old)
  local player = ids[i]
  local is_older = older_than_latest(latest, call, i) or matched_since(i)
  -- The player is in a queue or in a match: "not done" would be taken for being in none.
  if waiting[player] or pending[player] or elsewhere[player] then
    -- After a request to another mode there is something to tell: where the player is.
    is_older = is_older and not latest_is_elsewhere(latest, call) or is_old
  end
  if is_older then return 'overtaken', '' end
  if is_old then return 'request_expired', '' end
end

local answers = {0}
-- include: outcomes
tell_all('HSET', metadata, described)
tell_all('ZADD', queue, standing)
if #queued > 0 then redis.pcall('HSET', clock, 'place', string.format('%.0f', place_us)) end
acknowledge(call)
for _, i in ipairs(told) do redis.call('PUBLISH', call.channels[i], call.answers[i]) end
note_players(history, now, 'queued', queued)
redis.call('EXPIRE', history, 3600)
answers[1] = redis.call('ZCARD', queue)
return answers
