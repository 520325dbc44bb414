-- Requests that were seen before. `seen:{tag}:<fingerprint>` holds {owner, token, code, detail,
-- time}: which server heard the request, under which token, what came of it, and when.
--   same       our own token: a retry of ours, which gets the same answer again
--   elsewhere  another server has just heard it too, by Pub/Sub, and answers
--   again      it was really sent twice
-- What these keys hold is read once for the whole batch, and written once, at its end.
local texts, changed = {}, {}

local function recall(names)
  for first = 1, #names, 1000 do
    local held = redis.call('MGET', unpack(names, first, math.min(first + 999, #names)))
    for i, text in ipairs(held) do texts[names[first + i - 1]] = text end
  end
end

local function keep(key, text)
  changed[#changed + 1] = key
  texts[key] = text
end

-- To be called when all that the answers promise is written.
local function write_kept(call)
  for _, key in ipairs(changed) do redis.call('SET', key, texts[key], 'PX', call.memory_ms) end
end

local function seen_before(key, request, call, now)
  local packed = texts[key]
  if not packed then return nil end
  local seen = cmsgpack.unpack(packed)
  if seen[2] == request.token then
    redis.call('PEXPIRE', key, call.memory_ms) -- a write, for WAITAOF and WAIT behind it
    return 'same', seen[3], seen[4]
  end
  -- It was not done, and whoever sends it again wants it done.
  if seen[3] == 'request_expired' then return nil end
  if request.entry == '' and seen[1] ~= call.me and now - seen[5] < call.window_seconds then
    return 'elsewhere'
  end
  return 'again', seen[3], seen[4]
end

local function remember_request(key, request, call, code, detail, now)
  keep(key, cmsgpack.pack({call.me, request.token, code, detail, now}))
  return code, detail
end

-- `latest:{tag}:<player>` holds "<stream id> <seen key>" of the latest request of a player that was
-- done; one heard by Pub/Sub counts as written at that moment. A request may come late, because the
-- server that had read it died, and its repetition may come after a newer one: then what the player
-- has asked for since holds.
local function latest_request(key)
  local latest = texts[key]
  if not latest then return nil end
  return string.match(latest, '^(%d+)-(%d+) (.*)$')
end

local function older_than_latest(key, request)
  local latest_ms, latest_number = latest_request(key)
  if not latest_ms then return false end
  local ms, number = string.match(request.entry, '^(%d+)-(%d+)$')
  if not ms then return false end
  if ms == latest_ms then return tonumber(number) < tonumber(latest_number) end
  return tonumber(ms) < tonumber(latest_ms)
end

local function another_since(key, seen_key)
  local _, _, latest = latest_request(key)
  return latest ~= nil and latest ~= seen_key
end

local function note_latest(key, seen_key, request, now)
  local entry = request.entry ~= '' and request.entry or string.format('%.0f-0', math.floor(now * 1000))
  keep(key, entry .. ' ' .. seen_key)
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
local function forgotten(stream, request, call, now)
  local ms = string.match(request.entry, '^(%d+)-%d+$')
  if not ms or now * 1000 - tonumber(ms) <= call.memory_ms then return false end
  local given = redis.pcall('XPENDING', stream, call.group, request.entry, request.entry, 1)[1]
  return given == nil or given[4] > 1 or given[3] > call.memory_ms
end

-- Takes requests out of their stream; for each whether it is ours: false when somebody else has done
-- so before. What is acknowledged is deleted in the same step, so that an entry still given to
-- somebody was not done.
local function acknowledge(stream, group, requests)
  local entries, acknowledged, mine = {}, 0, {}
  for i, request in ipairs(requests) do
    mine[i] = true
    if request.entry ~= '' then entries[#entries + 1] = request.entry end
  end
  for first = 1, #entries, 1000 do
    local last = math.min(first + 999, #entries)
    acknowledged = acknowledged + redis.call('XACK', stream, group, unpack(entries, first, last))
  end
  if acknowledged == #entries then
    for first = 1, #entries, 1000 do
      redis.call('XDEL', stream, unpack(entries, first, math.min(first + 999, #entries)))
    end
  else
    for i, request in ipairs(requests) do
      mine[i] = request.entry == '' or redis.call('XDEL', stream, request.entry) == 1
    end
  end
  return mine
end

-- For each request whether it is ours, and whether it is too old to be done.
local function take(stream, call, now)
  local too_old = {}
  for i, request in ipairs(call.requests) do too_old[i] = forgotten(stream, request, call, now) end
  return acknowledge(stream, call.group, call.requests), too_old
end
