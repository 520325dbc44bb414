#!lua
-- Tells pods where players are: in which queues, in which pending match, in which started match; or what they were
-- told last. It is what stands there at this moment, and is published in this step, so that what is told later is newer.
-- REPLY  [state, detail, channel, payload, …], four for each player:
--          waiting <mode>, line break, <party or ''> | pending <mode> <match id> | started | gone | unknown
--          A payload is to be published by the caller, once what stands there is durable; empty: there is none, or it
--          is published.
-- AGAIN  safe.
-- declared: statuses.status
-- include: number_in
-- include: bulk
-- include: parties
-- include: found
-- include: unpacked
-- include: match_found
local call = cmsgpack.unpack(packed)
local ids, before, after = call.players, unpack(call.channel)

-- The parties of the players, and then all tickets, looked up once in each queue.
local tickets, mode_of, party_of, is_known = {}, {}, {}, {}
local function look_for(ticket)
  if not is_known[ticket] then tickets[#tickets + 1], is_known[ticket] = ticket, true end
end
for i, place in ipairs(party_places(parties, ids)) do
  if place then
    mode_of[i], party_of[i] = parts_of(place)
    if party_of[i] then look_for(party_of[i]) end
  end
end
for i = 1, #ids do look_for(ids[i]) end

local waiting, pending = {}, {} -- mode -> ticket -> enqueue time, or match id
for q = 1, queues_count do
  local mode = ARGV[queue_mode + q]
  waiting[mode], pending[mode] = {}, {}
  local scores = ask_all(redis.pcall, 'ZMSCORE', KEYS[queue_key + q], tickets)
  local held = ask_all(redis.pcall, 'HMGET', KEYS[matched_key + q], tickets)
  for n, ticket in ipairs(tickets) do
    waiting[mode][ticket], pending[mode][ticket] = scores[n] or nil, held[n] or nil
  end
end

-- What the players were told last, of the newest part first.
local kept, newest = {}, number_in(redis.pcall('HGET', news, 'part'), 0, 4)
for back = 0, newest and 4 or -1 do
  local held = ask_all(redis.pcall, 'HMGET', news .. ':' .. (newest - back) % 5, ids)
  for i = 1, #ids do kept[i] = kept[i] or held[i] or nil end
end

-- When the players were last queued: news from before is no news. `scopes` keys for each player.
local queued_at = {}
for first = 1, latest_count, 1000 do
  local last = math.min(first + 999, latest_count)
  for n, text in ipairs(redis.call('MGET', unpack(KEYS, latest_key + first, latest_key + last))) do
    local place = text and string.match(text, '^%S+ %S+ %S+ %S+ %S+ (%S+) ')
    local i = math.ceil((first + n - 1) / call.scopes)
    queued_at[i] = math.max(queued_at[i] or 0, place and tonumber(place) or 0)
  end
end

local function name_of(mode)
  return call.names[mode] or mode
end

local function game_mode_text(mode)
  return ',"game_mode":' .. cjson.encode(name_of(mode))
end

local function beside_party(party)
  return party and party ~= '' and ',"party_id":' .. cjson.encode(party) or ''
end

local function queue_text(mode, since)
  since = number_in(since, 0, 1e12)
  return '{"game_mode":' .. cjson.encode(name_of(mode)) .. (since and string.format(',"since":%.6f', since) or '') .. '}'
end

-- What stands in a queue or in a pending match for a ticket; of a party in its mode alone.
local function standing(ticket, only, party)
  local found, texts = nil, {}
  for q = 1, queues_count do
    local mode = ARGV[queue_mode + q]
    if not only or mode == only then
      local since, match_id = waiting[mode][ticket], pending[mode][ticket]
      if match_id then
        local fields = game_mode_text(mode) .. ',"match_id":' .. cjson.encode(match_id)
        return {state = 'pending', detail = mode .. ' ' .. match_id, fields = fields, beside = beside_party(party)}
      end
      if since then
        texts[#texts + 1] = queue_text(mode, since)
        if not found or mode == call.asked[ticket] then found = mode end
      end
    end
  end
  if not found then return nil end
  return {state = 'waiting', detail = found .. '\n' .. (party or ''), mode = found, result = '"EnQueued"',
    fields = ',"queues":[' .. table.concat(texts, ',') .. ']', beside = beside_party(party)}
end

local UNKNOWN = {state = 'unknown', detail = '', fields = '', beside = ''}

local function told_last(i, channel)
  local place, mode, what = string.match(kept[i] or '', '^(%d+) (%S+) (.*)$')
  if not place or math.floor((queued_at[i] or 0) * 1000000 + 0.5) > tonumber(place) then return UNKNOWN end
  local result, beside = string.match(what, '^(.-)\n(.*)$')
  local state, fields, party = 'gone', game_mode_text(mode), nil
  if not result then
    state, fields = 'started', ''
    result, party = match_found(ids[i], what, name_of(mode), channel, call.asked_again and call.most_named or math.huge)
    if not result then return UNKNOWN end
    beside = beside_party(party)
  end
  return {state = state, detail = '', result = result, fields = fields .. ',"news":' .. result, beside = beside}
end

local function of_player(i, channel)
  local party = party_of[i] and standing(party_of[i], mode_of[i], party_of[i])
  return party or standing(ids[i]) or told_last(i, channel)
end

-- Who asked again is told news; of what is none, the caller tells.
local function result_of(i, found)
  if call.asked_again then
    local elsewhere = found.state == 'waiting' and found.mode ~= call.asked[ids[i]]
    return not elsewhere and found.result
  end
  local token = call.tokens[i]
  return '{"Status":{"state":"' .. found.state .. '"' .. found.fields
    .. (token ~= '' and ',"token":' .. cjson.encode(token) or '') .. '}}'
end

local replies = {}
for i = 1, #ids do
  local channel = before .. call.pods[i] .. after
  local found = of_player(i, channel)
  local result = call.pods[i] ~= '' and result_of(i, found)
  local payload = result and '{"player_id":' .. cjson.encode(ids[i]) .. ',"result_type":' .. result .. found.beside .. '}'
  if payload and not call.durable then
    redis.call('PUBLISH', channel, payload)
    payload = nil
  end
  local n = #replies
  replies[n + 1], replies[n + 2], replies[n + 3], replies[n + 4] = found.state, found.detail, result and channel or '', payload or ''
end
if call.durable then -- a write, for WAITAOF and WAIT behind it
  redis.pcall('HSET', news, 'asked', 1)
  redis.pcall('PEXPIRE', news, 2 * call.news_ms)
end
-- include: done
return replies
