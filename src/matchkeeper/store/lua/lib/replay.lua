-- A call that is sent again because its reply was lost answers what it answered the first time.
-- `answered` remembers the answer for `memory` milliseconds. The PEXPIRE of a replay is a write, so
-- that WAITAOF or WAIT behind it waits for everything before it.
-- Needs: numbers
local remembered_ms = memory_of(memory)

local function replayed()
  local remembered = redis.call('GET', answered)
  if remembered then
    redis.call('PEXPIRE', answered, remembered_ms)
    return cmsgpack.unpack(remembered)
  end
end

local function remember(answer)
  redis.call('SET', answered, cmsgpack.pack(answer), 'PX', remembered_ms)
  return answer
end
