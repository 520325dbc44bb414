#!lua
-- The last word: the game server that claimed the match starts it. Who is refused must not start.
-- KEYS   1 match:{tag}:<match_id>  2 pending:{tag}  3 matched:{tag}  4 leaving:{tag}
--        5 history:{tag}  6 claimers:{tag}
-- ARGV   1 match id  2 epoch  3 token  4 memory in milliseconds  5 placeholder in the notices
--        6 pod id
-- REPLY  {started} | {not_claimed} | {old_epoch} | {too_late} | {unknown_match}
-- AGAIN  safe: the token that started it is told started; the players are told once.
-- include: time
-- include: history
local match = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'token', 'claimed_by', 'ids', 'notices')
local state, epoch, token, claimed_by = match[1], match[2], match[3], match[4]
local now = unix_seconds()

local function refusal()
  if not state then return 'unknown_match' end
  if epoch ~= ARGV[2] then return 'old_epoch' end
  if state == 'offered' then return 'not_claimed' end
  if state ~= 'claimed' then return 'too_late' end
  if token ~= ARGV[3] then return 'not_claimed' end
  local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if not deadline or now > tonumber(deadline) then return 'too_late' end
end

local by = '"claimed_by":' .. (claimed_by and cjson.encode(claimed_by) or 'null')

local function filled_in(payload)
  local first, last = string.find(payload, ARGV[5], 1, true)
  if not first then return payload end
  return string.sub(payload, 1, first - 1) .. by .. string.sub(payload, last + 1)
end

if state == 'started' and epoch == ARGV[2] and token == ARGV[3] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4]) -- a write, for WAITAOF and WAIT behind it
  return {'started'}
end
local code = refusal()
if code then
  note(KEYS[5], now, 'confirm_refused', 'match', ARGV[1], 'pod', ARGV[6], 'detail', code)
  return {code}
end
-- A key of another type than ours ends the script here, before it has changed anything.
local some_leave = redis.call('HLEN', KEYS[4]) > 0
local ids = cmsgpack.unpack(match[5])
redis.call('HDEL', KEYS[3], unpack(ids))
redis.call('HSET', KEYS[1], 'state', 'started')
redis.call('HDEL', KEYS[1], 'tickets', 'notices', 'elsewhere')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
if claimed_by then redis.pcall('HDEL', KEYS[6], claimed_by) end -- it starts what it claims
if some_leave then redis.call('HDEL', KEYS[4], unpack(ids)) end
for _, notice in ipairs(cmsgpack.unpack(match[6])) do
  redis.call('PUBLISH', notice[1], filled_in(notice[2]))
end
note(KEYS[5], now, 'started', 'match', ARGV[1], 'pod', claimed_by)
return {'started'}
