#!lua
-- Enters parties into the index of players that were read and may not be in it: put there by hand, or
-- changed. What was put there by hand beside the queue is kept with the queue from now on.
-- REPLY  {code, detail, …}, a pair for each ticket:
--          entered | gone: it does not stand there any more as it was read
--          twice <what is where>: one of its players, or its id, is somewhere else, too
-- AGAIN  safe.
-- declared: parties.enter
-- include: bulk
-- include: places
-- include: sound
-- include: hand_made
-- include: parties
local call = cmsgpack.unpack(packed)
local ids, places = call.ids, {{call.mode, matched, ''}}
-- include: other_places
must_be_sound({queue}, {metadata, matched, parties})
-- include: standing
local everybody = {}
for _, players in ipairs(call.players) do
  for _, player in ipairs(players) do everybody[#everybody + 1] = player end
end
for i, id in ipairs(ids) do everybody[#everybody + 1] = id end
local scores, texts, waiting = ask_all(redis.call, 'ZMSCORE', queue, ids), ask_all(redis.call, 'HMGET', metadata, ids), {}
for i, score in ipairs(ask_all(redis.call, 'ZMSCORE', queue, everybody)) do waiting[everybody[i]] = score end
local pending, elsewhere = pending_matches(places, everybody), other_queues(places, everybody)
local in_party = in_parties(everybody)

local function told(place)
  local mode, party = parts_of(place)
  return 'in party ' .. party .. ' of ' .. mode
end

local function elsewhere_too(i, own)
  local id, players = ids[i], call.players[i]
  if in_party[id] then return id .. ' is a player ' .. told(in_party[id]) end
  if #players > 0 and (pending[id] or elsewhere[id]) then
    return id .. ' is in ' .. (elsewhere[id] or 'a pending match of ' .. pending[id]) .. ', too'
  end
  for _, player in ipairs(players) do
    -- Who is in the index already was here first.
    local where = in_party[player] and told(in_party[player])
      or waiting[player] and 'waiting in ' .. call.mode
      or pending[player] and 'in a pending match of ' .. pending[player]
      or elsewhere[player] and 'waiting in ' .. elsewhere[player]
    if where and in_party[player] ~= own then return 'player ' .. player .. ' is ' .. where .. ', too' end
  end
end

local answers, entered = {}, {}
for i, id in ipairs(ids) do
  local own, key, code, detail = call.mode .. ' ' .. id, KEYS[hand_made_metadata + i], 'entered', ''
  local text = texts[i] or hand_made_text(key)
  if not scores[i] or tonumber(scores[i]) ~= tonumber(call.scores[i])
    or string.sub(redis.sha1hex(text or ''), 1, 16) ~= call.sums[i] then
    code = 'gone'
  else
    detail = elsewhere_too(i, own)
    if detail then code = 'twice' end
  end
  if code == 'entered' then
    for _, player in ipairs(call.players[i]) do
      if in_party[player] ~= own then entered[#entered + 1], entered[#entered + 2] = player, own end
      in_party[player] = own
    end
    if #call.players[i] > 0 and not texts[i] then
      redis.call('HSET', metadata, id, text)
      drop_hand_made(key)
    end
  end
  answers[2 * i - 1], answers[2 * i] = code, detail or ''
end
tell_all('HSET', parties, entered)
return answers
