-- Requests that were seen before: which server heard one, when, under which token, and what came of
-- it, as "<owner>\n<time>\n<token>\n<code>\n<detail>".
--   same       our own token: a retry of ours, which gets the same answer again
--   elsewhere  another server has just heard it too, by Pub/Sub, and answers
--   again      it was really sent twice
-- Most players ask once, so that one key is enough for most: `latest:{tag}:<player>` holds "<stream
-- id> <fingerprint> <first> <known>", the latest request of the player that was done (one heard by
-- Pub/Sub counts as written at that moment), and what is known of the first one that was, by its
-- fingerprint. Of any other request `seen:{tag}:<fingerprint>` holds it.
-- What these keys hold is read once for the whole batch, and written once, at its end. `key` and
-- `latest` below are the two keys of the i-th request of a call.
local texts, players, changed, is_changed = {}, {}, {}, {}

local function recall(names)
  for first = 1, #names, 1000 do
    local held = redis.call('MGET', unpack(names, first, math.min(first + 999, #names)))
    for i, text in ipairs(held) do texts[names[first + i - 1]] = text end
  end
end

local function fingerprint_of(key)
  return string.sub(key, -32)
end

-- What `latest` holds, as a table; nil where it holds nothing.
local function latest_request(latest)
  if players[latest] == nil and texts[latest] then
    local id, name, first, known = string.match(texts[latest], '^(%d+%-%d+) (%S+) (%S+) (.*)$')
    players[latest] = id and {id = id, name = name, first = first, known = known}
  end
  return players[latest]
end

local function is_to_be_written(key)
  if is_changed[key] then return end
  is_changed[key] = true
  changed[#changed + 1] = key
end

-- To be called when all that the answers promise is written.
local function write_kept(call)
  for _, key in ipairs(changed) do
    local player = players[key]
    local text = player and player.id .. ' ' .. player.name .. ' ' .. player.first .. ' ' .. player.known
    redis.call('SET', key, text or texts[key], 'PX', call.memory_ms)
  end
end

-- What is known of a request, and the key that holds it.
local function known_of(key, latest)
  if texts[key] then return texts[key], key end
  local player = latest_request(latest)
  if player and player.first == fingerprint_of(key) then return player.known, latest end
end

local function seen_before(key, latest, call, i, now)
  local known, held_in = known_of(key, latest)
  if not known then return nil end
  local owner, at, token, code, detail = string.match(known, '^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  if token == call.tokens[i] then
    redis.call('PEXPIRE', held_in, call.memory_ms) -- a write, for WAITAOF and WAIT behind it
    return 'same', code, detail
  end
  -- It was not done, and whoever sends it again wants it done.
  if code == 'request_expired' then return nil end
  if call.entries[i] == '' and owner ~= call.me and now - tonumber(at) < call.window_seconds then
    return 'elsewhere'
  end
  return 'again', code, detail
end

local function remember_request(key, latest, call, i, code, detail, now)
  call.heard = call.heard or string.format('%s\n%.3f\n', call.me, now)
  local known = call.heard .. call.tokens[i] .. '\n' .. code .. '\n' .. detail
  local player = latest_request(latest)
  if player and player.first == fingerprint_of(key) then
    player.known = known
    is_to_be_written(latest)
  else
    texts[key] = known
    is_to_be_written(key)
  end
  return code, detail
end

-- A request may come late, because the server that had read it died, and its repetition may come
-- after a newer one: then what the player has asked for since holds.
local function older_than_latest(latest, entry)
  local player = latest_request(latest)
  if not player then return false end
  local latest_ms, latest_number = string.match(player.id, '^(%d+)-(%d+)$')
  local ms, number = string.match(entry, '^(%d+)-(%d+)$')
  if not ms then return false end
  if ms == latest_ms then return tonumber(number) < tonumber(latest_number) end
  return tonumber(ms) < tonumber(latest_ms)
end

local function another_since(key, latest)
  local player = latest_request(latest)
  return player ~= nil and player.name ~= fingerprint_of(key)
end

local function note_latest(key, latest, entry, now)
  local id = entry ~= '' and entry or string.format('%.0f-0', math.floor(now * 1000))
  local name, player = fingerprint_of(key), latest_request(latest)
  if player then
    player.id, player.name = id, name
  else
    players[latest] = {id = id, name = name, first = texts[key] and '-' or name, known = ''}
  end
  is_to_be_written(latest)
end

-- A repetition that does nothing is told to nobody, so it may well come again: what is known of it
-- and of the player stays known.
local function overtaken(key, latest, call)
  redis.call('PEXPIRE', key, call.memory_ms)
  redis.call('PEXPIRE', latest, call.memory_ms)
  return 'overtaken', ''
end

-- Whether a request is older than what is remembered, and somebody has had it in hand before: what the
-- player has asked for since, and whether it came true, nobody knows any more. A request that only
-- waited to be read is done, however old it is: those of its player stand behind it.
local function forgotten(stream, entry, call, now)
  local ms = string.match(entry, '^(%d+)-%d+$')
  if not ms or now * 1000 - tonumber(ms) <= call.memory_ms then return false end
  local given = redis.pcall('XPENDING', stream, call.group, entry, entry, 1)[1]
  return given == nil or given[4] > 1 or given[3] > call.memory_ms
end

-- Takes requests out of their stream; for each whether it is ours: false when somebody else has done
-- so before. What is acknowledged is deleted in the same step, so that an entry still given to
-- somebody was not done.
local function acknowledge(stream, call)
  local entries, acknowledged, mine = {}, 0, {}
  for i, entry in ipairs(call.entries) do
    mine[i] = true
    if entry ~= '' then entries[#entries + 1] = entry end
  end
  for first = 1, #entries, 1000 do
    local last = math.min(first + 999, #entries)
    acknowledged = acknowledged + redis.call('XACK', stream, call.group, unpack(entries, first, last))
  end
  if acknowledged == #entries then
    for first = 1, #entries, 1000 do
      redis.call('XDEL', stream, unpack(entries, first, math.min(first + 999, #entries)))
    end
  else
    for i, entry in ipairs(call.entries) do
      mine[i] = entry == '' or redis.call('XDEL', stream, entry) == 1
    end
  end
  return mine
end

-- For each request whether it is ours, and whether it is too old to be done.
local function take(stream, call, now)
  local too_old = {}
  for i, entry in ipairs(call.entries) do too_old[i] = forgotten(stream, entry, call, now) end
  return acknowledge(stream, call), too_old
end
