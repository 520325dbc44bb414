-- The clock of Redis, the only one that two servers share: Unix time in seconds.
local function unix_seconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
