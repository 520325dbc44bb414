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

-- Takes a request out of its stream; false when somebody else has done so before.
local function acknowledge(stream, group, request)
  if request.entry == '' then return true end
  redis.call('XACK', stream, group, request.entry)
  return redis.call('XDEL', stream, request.entry) == 1
end
