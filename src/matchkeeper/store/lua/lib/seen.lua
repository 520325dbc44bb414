-- Requests that were seen before. What is known of one is its token and what came of it, as
-- "<token>\n<code>\n<detail>". Our own token means a retry of ours, which gets the same answer again.
-- Another token means that the request was sent twice, in two messages with the same request_id.
-- Most players ask once, so one key is enough for most: `latest` of a player holds "<entry id> <stream> <tag>
-- <fingerprint> <first> <place> <known>". These are the latest request that was done (one without an entry counts
-- as written at that moment), then the fingerprint of the first one that was done, the last place that the player got
-- in a queue ("-": none), and what is known of that first one.
-- What is known of any other request stands in `seen:{tag}:<fingerprint>`. What cannot be read counts as unknown.
-- These keys are read once for the whole batch, and written once, at its end. `key` and `latest` below are
-- the two keys of the i-th request of a call.
local texts, players, changed, is_changed = {}, {}, {}, {}

local function recall(names)
  for first = 1, #names, 1000 do
    local held = redis.call('MGET', unpack(names, first, math.min(first + 999, #names)))
    for i = 1, #held do texts[names[first + i - 1]] = held[i] end
  end
end

local function fingerprint_of(key)
  return string.sub(key, -32)
end

-- What `latest` holds, as a table; nil where it holds nothing.
local function latest_request(latest)
  if players[latest] == nil and texts[latest] then
    local pattern = '^(%d+%-%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$'
    local id, stream, tag, name, first, place, known = string.match(texts[latest], pattern)
    players[latest] = id and
      {id = id, stream = stream, tag = tag, name = name, first = first, place = place, known = known}
  end
  return players[latest] or nil
end

local function is_to_be_written(key)
  if is_changed[key] then return end
  is_changed[key] = true
  changed[#changed + 1] = key
end

-- Token, code and detail of a request that is known, and the key that holds them.
local function seen_before(key, latest)
  local known, held_in = texts[key], key
  if not known then
    local player = latest_request(latest)
    if player and player.first == fingerprint_of(key) then known, held_in = player.known, latest end
  end
  if not known then return nil end
  local token, code, detail = string.match(known, '^(.-)\n(.-)\n(.*)$')
  return token, code, detail, held_in
end

local function remember(key, latest, known)
  local player = latest_request(latest)
  if player and player.first == fingerprint_of(key) then
    player.known = known
    is_to_be_written(latest)
  else
    texts[key] = known
    is_to_be_written(key)
  end
end

-- A repetition counts as asked when the first was asked.
local function asked(call, i)
  return call.repeats[i] or call.entries[i]
end

-- Whether one entry of a stream stands before another.
local function is_before(one, other)
  local ms, number = string.match(one, '^(%d+)-(%d+)$')
  local other_ms, other_number = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
  return tonumber(number) < tonumber(other_number)
end

local function milliseconds_of(entry)
  return tonumber(string.match(entry, '^(%d+)-'))
end

-- A request may come late, because the server that had read it died, and its repetition may come after a
-- newer request. Then what the player has asked for since holds. Two streams have no order within one
-- millisecond.
local function older_than_latest(latest, call, i)
  local player = latest_request(latest)
  local entry = player and asked(call, i)
  if not player or entry == '' then return false end
  if player.stream == call.stream then return is_before(entry, player.id) end
  return milliseconds_of(entry) < milliseconds_of(player.id)
end

local function latest_is_elsewhere(latest, call)
  local player = latest_request(latest)
  return player ~= nil and player.tag ~= call.mode
end

local function another_since(key, latest)
  local player = latest_request(latest)
  return player ~= nil and player.name ~= fingerprint_of(key)
end

-- The i-th request is the latest of a player. `first` is the one of which `latest` holds what is known; `place`
-- is the one that it gave the player, if any.
local function is_latest(key, latest, call, i, first, now, place)
  local entry, player = asked(call, i), latest_request(latest)
  if not player then
    player = {first = first, place = '-', known = ''}
    players[latest] = player
  end
  player.place = place or player.place
  player.id = entry ~= '' and entry or string.format('%.0f-0', math.floor(now * 1000))
  player.stream, player.tag = entry ~= '' and call.stream or '-', call.mode
  player.name = fingerprint_of(key)
  is_to_be_written(latest)
end

-- A request that one mode refused does not take the place of what was asked of another mode.
local function note_latest(key, latest, call, i, has_effect, now, place)
  if latest_is_elsewhere(latest, call) and not has_effect then return end
  is_latest(key, latest, call, i, texts[key] and '-' or fingerprint_of(key), now, place)
end

-- Whether a request is older than what is remembered, and a server has had it in hand before, or it repeats
-- one that is so old. Nobody knows any more what its player has asked for since, and whether it came true.
-- A request that only waited to be read is done, however old it is: later ones of its player stand behind it.
local function forgotten(call, i, since_ms)
  local first, entry = asked(call, i), call.entries[i]
  if first == '' or milliseconds_of(first) >= since_ms then return false end
  if call.repeats[i] then return true end
  local given = redis.pcall('XPENDING', call.stream, call.group, entry, entry, 1)[1]
  return given == nil or given[4] > 1 or given[3] > call.memory_ms
end

-- Whether a stream still has all its entries from this one on.
local function is_whole_from(stream, entry)
  local info, facts = redis.pcall('XINFO', 'STREAM', stream), {}
  for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
  local first, deleted = facts['first-entry'], facts['max-deleted-entry-id']
  return first and deleted and not is_before(entry, first[1]) and is_before(deleted, entry)
end

-- Since when all is remembered, in the milliseconds by which the stream names its entries. A step back of
-- the clock does not count. A step forward ends what Redis keeps for a time.
local function remembered_since(call)
  local stepped_at = tonumber(redis.pcall('HGET', clock, 'forgot') or nil) or 0
  return math.max((redis_now + math.max(offset or 0, 0)) * 1000 - call.memory_ms, stepped_at)
end

-- For each request, whether it is still to be done, and whether it is too old for that. A request leaves its
-- stream in the step that does it, so one that is not there any more is done.
local function still_there(call)
  local entries, there, mine, too_old = {}, {}, {}, {}
  for i = 1, #call.entries do
    if call.entries[i] ~= '' then entries[#entries + 1] = call.entries[i] end
  end
  call.standing = entries
  local oldest = entries[1]
  local is_whole = not oldest or is_whole_from(call.stream, oldest)
  if not is_whole then
    for _, found in ipairs(redis.call('XRANGE', call.stream, oldest, entries[#entries], 'COUNT', #entries)) do
      there[found[1]] = true
    end
  end
  local since_ms = call.group ~= '' and remembered_since(call)
  local some_old = since_ms and oldest and milliseconds_of(oldest) < since_ms
  for i = 1, #call.entries do
    local entry = call.entries[i]
    mine[i] = is_whole or entry == '' or there[entry] or #redis.call('XRANGE', call.stream, entry, entry) > 0
    too_old[i] = (some_old or (since_ms and call.repeats[i])) and forgotten(call, i, since_ms)
      -- It may be a copy of a request that was done and is forgotten.
      or call.since[i] and call.since[i] < redis_now * 1000 - call.memory_ms
  end
  return mine, too_old
end

-- Keeps what came of the requests, and takes them out of their stream. It is called last, when all that the
-- answers promise is written: Redis does not take back what an interrupted script has done, and a request
-- that was not done must stay.
local function acknowledge(call)
  for i = 1, #changed do
    local key = changed[i]
    local player = players[key]
    local text = player and player.id .. ' ' .. player.stream .. ' ' .. player.tag .. ' '
      .. player.name .. ' ' .. player.first .. ' ' .. player.place .. ' ' .. player.known
    redis.call('SET', key, text or texts[key], 'PX', call.memory_ms)
  end
  local entries = call.standing
  for first = 1, #entries, 1000 do
    local last = math.min(first + 999, #entries)
    if call.group ~= '' then redis.call('XACK', call.stream, call.group, unpack(entries, first, last)) end
    redis.call('XDEL', call.stream, unpack(entries, first, last))
  end
end
