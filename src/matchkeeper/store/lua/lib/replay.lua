-- A call that is sent again because its reply was lost answers what it answered the first time.
-- KEYS[1] remembers the answer for ARGV[1] milliseconds. The PEXPIRE of a replay is a write, so
-- that WAITAOF or WAIT behind it waits for everything before it.
-- Needs: numbers
local remembered_ms = memory_ms(ARGV[1])

local function replayed()
  local remembered = redis.call('GET', KEYS[1])
  if remembered then
    redis.call('PEXPIRE', KEYS[1], remembered_ms)
    return cmsgpack.unpack(remembered)
  end
end

local function remember(answer)
  redis.call('SET', KEYS[1], cmsgpack.pack(answer), 'PX', remembered_ms)
  return answer
end
