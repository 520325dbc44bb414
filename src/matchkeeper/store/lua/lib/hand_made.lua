-- metadata:<player_id>, put there by hand. The key of a player called `{tag}` would be the hash of a whole
-- queue, so only text counts.
local function is_text(key)
  return redis.call('TYPE', key).ok == 'string'
end

local function hand_made_text(key)
  return is_text(key) and redis.call('GET', key)
end

local function drop_hand_made(key)
  if is_text(key) then redis.call('UNLINK', key) end
end
