-- Requests that were seen before. `seen:{tag}:<fingerprint>` holds {owner, token, code, detail,
-- time}: which server heard the request, under which token, what came of it, and when.
--   same       our own token: a retry of ours, which gets the same answer again
--   elsewhere  another server has just heard it too, by Pub/Sub, and answers
--   again      it was really sent twice
local function seen_before(key, request, call, now)
  local packed = redis.call('GET', key)
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
  local seen = {call.me, request.token, code, detail, now}
  redis.call('SET', key, cmsgpack.pack(seen), 'PX', call.memory_ms)
  return code, detail
end

-- `latest:{tag}:<player>` holds "<stream id> <seen key>" of the latest request of a player that was
-- done; one heard by Pub/Sub counts as written at that moment. A request may come late, because the
-- server that had read it died, and its repetition may come after a newer one: then what the player
-- has asked for since holds.
local function latest_request(key)
  local latest = redis.pcall('GET', key)
  if type(latest) ~= 'string' then return nil end
  return string.match(latest, '^(%d+)-(%d+) (.*)$')
end

local function older_than_latest(key, request)
  local latest_ms, latest_number = latest_request(key)
  local ms, number = string.match(request.entry, '^(%d+)-(%d+)$')
  if not (ms and latest_ms) then return false end
  if ms == latest_ms then return tonumber(number) < tonumber(latest_number) end
  return tonumber(ms) < tonumber(latest_ms)
end

local function another_since(key, seen_key)
  local _, _, latest = latest_request(key)
  return latest ~= nil and latest ~= seen_key
end

local function note_latest(key, seen_key, request, call, now)
  local entry = request.entry ~= '' and request.entry or string.format('%.0f-0', math.floor(now * 1000))
  redis.call('SET', key, entry .. ' ' .. seen_key, 'PX', call.memory_ms)
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

-- Takes a request out of its stream; false when somebody else has done so before.
local function acknowledge(stream, group, request)
  if request.entry == '' then return true end
  redis.call('XACK', stream, group, request.entry)
  return redis.call('XDEL', stream, request.entry) == 1
end
