#!lua
-- Makes matches of proposals. It checks that all their players still wait; then, in the same step, it
-- writes and publishes the matches and takes their players out of every queue.
-- REPLY  {code, detail, …}, a pair for each proposal:
--          committed <subscribers> | no_server (nothing left the queue)
--          stale <player_id>: not there any more, in another match, or with other metadata
-- AGAIN  safe: a match id that exists answers committed, and changes nothing.
-- declared: committing.commit
-- include: time
-- include: number_in
-- include: numbers
-- include: bulk
-- include: places
-- include: sound
-- include: hand_made
-- include: found
-- include: parties
-- include: history
-- include: history_of_many
-- include: news
local call = cmsgpack.unpack(packed)
local ids = call.ids
local created = string.format('%.6f', now)
local deadline = string.format('%.6f', now + bounded('offer_seconds', call.offer_seconds, 0, HOUR))
local lease_seconds = bounded('lease_seconds', call.lease_seconds, 0, HOUR)
local memory = memory_of(call.memory_ms)
local places, by_hand = {{call.mode, matched, ''}}, {}
-- include: other_places
must_be_sound({queue, pending}, {metadata, matched})

-- All players are looked up together, and taken out together when all matches are written.
local scores = ask_all(redis.call, 'ZMSCORE', queue, ids)
local texts = ask_all(redis.call, 'HMGET', metadata, ids)
local busy = pending_matches(places, ids)
for n = 1, by_hand_count do
  local i, key = tonumber(ARGV[by_hand_at + n]), KEYS[hand_made_metadata + n]
  by_hand[i], texts[i] = key, texts[i] or hand_made_text(key)
end
local is_repeated = false
for first = 1, proposed_count, 1000 do
  local some = redis.call('EXISTS', unpack(KEYS, match + first, match + math.min(first + 999, proposed_count)))
  is_repeated = is_repeated or some > 0
end

-- The players of the parties among the tickets: place of the ticket -> players.
local players_of = call.parties
local has_parties = next(players_of) ~= nil

-- What players have in the other queues. It is kept with the match, and put back with the rest. A party that has
-- only its id in common with a player, put there by hand, stays where it is, and the other way round.
local elsewhere = {}
for o = 1, others_count do
  local zset, hash = KEYS[other_queue + o], KEYS[other_metadata + o]
  if is_sound(zset, hash) then
    for i, score in ipairs(ask_all(redis.call, 'ZMSCORE', zset, ids)) do
      if score then
        local text = redis.call('HGET', hash, ids[i]) or ''
        if (players_in(text) ~= nil) == (players_of[i] ~= nil) then
          elsewhere[ids[i]] = elsewhere[ids[i]] or {}
          table.insert(elsewhere[ids[i]], {o, score, text})
        end
      end
    end
  end
end

local function own_place(i)
  return call.mode .. ' ' .. ids[i]
end

-- Whether the index does not have all players of a party: then one of them may be somewhere else, too.
local function is_unknown(i)
  local places = party_places(parties, players_of[i])
  for k = 1, #players_of[i] do
    if places[k] ~= own_place(i) then return true end
  end
end

-- Whether the ticket is gone, has come back with another place, is in a match, or has other metadata.
local function is_stale(i)
  local id, score, sent = ids[i], scores[i], call.scores[i]
  if not score or (score ~= sent and tonumber(score) ~= tonumber(sent)) then return true end
  if players_of[i] and is_unknown(i) then return true end
  return busy[id] or string.sub(redis.sha1hex(texts[i] or ''), 1, 16) ~= call.sums[i]
end

local function stale_player(first, last)
  for i = first, last do
    if is_stale(i) then return ids[i] end
  end
end

local function offer_of(pieces, first)
  local parts = {pieces[1]}
  for i = 2, #pieces do
    local nth = first + i - 2
    -- What the players of a party have stands in the pieces.
    parts[2 * i - 2], parts[2 * i - 1] = not players_of[nth] and texts[nth] or '', pieces[i]
  end
  return table.concat(parts)
end

-- As give_back reads them: {sizes of the teams, players, scores, metadata}
local function tickets_of(sizes, first, last)
  local held, metas = {unpack(scores, first, last)}, {}
  for i = first, last do metas[i - first + 1] = texts[i] or '' end
  return cmsgpack.pack({sizes, {unpack(ids, first, last)}, held, metas})
end

local function left_elsewhere(first, last)
  local left = {}
  for i = first, last do
    for _, there in ipairs(elsewhere[ids[i]] or {}) do
      left[#left + 1] = {ARGV[other_mode + there[1]], ids[i], there[2], there[3]}
    end
  end
  return #left > 0 and cmsgpack.pack(left)
end

local heard = '1' -- how many heard the last offer

-- The tickets; {place in the index, players} of each party among them; how many tickets each team has.
local function ids_of_match(sizes, first, last)
  local together = {}
  if has_parties then
    for i = first, last do
      if players_of[i] then together[#together + 1] = {own_place(i), players_of[i]} end
    end
  end
  return cmsgpack.pack({unpack(ids, first, last)}, together, sizes)
end

local function write_match(key, sizes, first, last, notices, seating)
  local its_ids = ids_of_match(sizes, first, last)
  if not call.claim then
    local fields = {'state', 'started', 'epoch', 1, 'offers', 1, 'created', created, 'subscribers', heard, 'ids', its_ids}
    if seating then fields[#fields + 1], fields[#fields + 2] = 'seating', seating end
    return redis.pcall('HSET', key, unpack(fields))
  end
  local fields = {'state', 'offered', 'epoch', 1, 'offers', 1, 'created', created, 'subscribers', heard,
    'ids', its_ids, 'tickets', tickets_of(sizes, first, last), 'notices', notices, 'lease', lease_seconds,
    'memory', memory}
  local left = next(elsewhere) and left_elsewhere(first, last)
  if left then fields[#fields + 1], fields[#fields + 2] = 'elsewhere', left end
  if seating then fields[#fields + 1], fields[#fields + 2] = 'seating', seating end
  return redis.pcall('HSET', key, unpack(fields))
end

local function players_text(first, last)
  if not has_parties then return table.concat(ids, '\n', first, last) end
  local found = {}
  for i = first, last do
    for _, player in ipairs(players_of[i] or {ids[i]}) do found[#found + 1] = player end
  end
  return table.concat(found, '\n')
end

local made, made_ids, made_players, gone, players_gone, match_of = {}, {}, {}, {}, {}, {}

local function taken(p, match_id, first, last)
  made[#made + 1] = p
  local key = KEYS[match + p]
  for i = first, last do
    busy[ids[i]] = match_id
    local n = #gone + 1
    gone[n], match_of[i], players_gone[n] = i, key, ids[i]
  end
  made_ids[#made], made_players[#made] = match_id, players_text(first, last)
end

-- An error ends the call, but only after the players of published matches are taken out. Until then
-- nothing here may end the script.
local unheard, failure = false, nil

local function not_made(reply)
  if type(reply) == 'table' then failure = reply.err end
  unheard = true
  return 'no_server', ''
end

local function commit(p, first, last)
  local match_id, sizes, pieces, seating = unpack(call.proposals[p])
  local key = KEYS[match + p]
  local known = is_repeated and redis.pcall('HGET', key, 'subscribers')
  if type(known) == 'table' then return not_made(known) end
  if known then
    redis.call('HSET', key, 'subscribers', known) -- a write, for WAITAOF and WAIT behind it
    return 'committed', known
  end
  if unheard then return 'no_server', '' end
  local stale = stale_player(first, last)
  if stale then return 'stale', stale end
  -- The match is written first, so that one that Redis refuses to write is not published either.
  local written = write_match(key, sizes, first, last, ARGV[notices + p], seating)
  if type(written) == 'table' then return not_made(written) end
  local reply = redis.pcall('PUBLISH', call.channel, offer_of(pieces, first))
  if reply == 0 or type(reply) == 'table' then
    redis.call('DEL', key)
    return not_made(reply)
  end
  local subscribers = tostring(reply)
  if subscribers ~= heard then redis.call('HSET', key, 'subscribers', subscribers) end
  heard = subscribers
  taken(p, match_id, first, last)
  return 'committed', subscribers
end

local function leave_other_queues()
  for _, i in ipairs(gone) do
    for _, there in ipairs(elsewhere[ids[i]] or {}) do
      redis.call('ZREM', KEYS[other_queue + there[1]], ids[i])
      redis.call('HDEL', KEYS[other_metadata + there[1]], ids[i])
    end
  end
end

local function take_out()
  tell_all('ZREM', queue, players_gone)
  tell_all('HDEL', metadata, players_gone)
  for i, key in pairs(by_hand) do
    if match_of[i] then drop_hand_made(key) end
  end
end

local function write_pending()
  local players, deadlines = {}, {}
  for n = 1, #gone do
    local id = players_gone[n]
    players[2 * n - 1], players[2 * n] = id, busy[id]
  end
  for i, match_id in ipairs(made_ids) do deadlines[2 * i - 1], deadlines[2 * i] = deadline, match_id end
  tell_all('HSET', matched, players)
  tell_all('ZADD', pending, deadlines)
end

local function deliver()
  local together = {}
  for i, players in pairs(players_of) do
    if match_of[i] then together[#together + 1] = {own_place(i), players} end
  end
  leave_parties(parties, together)
  local told = {}
  for i = 1, #ids do
    local text = match_of[i] and news_text(call.mode, match_of[i])
    for _, player in ipairs(text and (players_of[i] or {ids[i]}) or {}) do
      told[#told + 1], told[#told + 2] = player, text
    end
  end
  keep_news(told, memory)
  for _, p in ipairs(made) do redis.call('PEXPIRE', KEYS[match + p], memory) end
  for _, p in ipairs(made) do
    tell_found(cmsgpack.unpack(ARGV[notices + p]), 'null', '', {})
  end
end

-- The first match takes a player out of all queues. This mark keeps the player out of those into which a
-- late server would still put them.
local function note_last_match()
  for n = 1, marks_count do
    local key = match_of[tonumber(ARGV[ticket_at + n])]
    if key then
      local mark = string.format('%.0f %s', math.floor(now * 1000), key)
      redis.call('SET', KEYS[last_match + n], mark, 'PX', memory)
    end
  end
end

local answers, first = {}, 1
for p, proposal in ipairs(call.proposals) do
  local last = first - 1
  for _, size in ipairs(proposal[2]) do last = last + size end
  answers[2 * p - 1], answers[2 * p] = commit(p, first, last)
  first = last + 1
end
if next(elsewhere) then leave_other_queues() end
note_last_match()
take_out()
if call.claim then write_pending() else deliver() end
note_matches(history, now, call.claim and 'committed' or 'announced', made_ids, made_players)
return failure and redis.error_reply(failure) or answers
