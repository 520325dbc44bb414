-- A key of another type than ours, put there by somebody else, ends the script here, before it has changed
-- anything. Redis does not take back what an interrupted script has done.
local function is_sound(zset, hash)
  local length, size = redis.pcall('ZCARD', zset), redis.pcall('HLEN', hash)
  return type(length) == 'number' and type(size) == 'number'
end

local function must_be_sound(zsets, hashes)
  for _, key in ipairs(zsets) do redis.call('ZCARD', key) end
  for _, key in ipairs(hashes) do redis.call('HLEN', key) end
end

local function is_hash(key)
  return type(redis.pcall('HLEN', key)) == 'number'
end
