-- `MatchFound`, as `wire/offers.py` makes its pieces: {what all are told, {{channel, player, what follows}, …}}. All texts
-- are JSON: the pod that starts the match, or null; the assignment, behind a comma; player -> secret.
local function tell_found(found, pod, assignment, secrets)
  local ending = found[1] .. pod .. assignment
  for _, notice in ipairs(found[2]) do
    local secret = secrets[notice[2]]
    local payload = '{"player_id":' .. notice[2] .. notice[3] .. ending .. (secret and ',"secret":' .. secret or '') .. '}}}'
    redis.call('PUBLISH', notice[1], payload)
  end
end

-- Whether these are such pieces: somebody may have changed them.
local function is_found(found)
  if type(found[1]) ~= 'string' or type(found[2]) ~= 'table' then return false end
  for _, notice in ipairs(found[2]) do
    if type(notice) ~= 'table' then return false end
    local channel, player, rest = unpack(notice)
    if type(channel) ~= 'string' or type(player) ~= 'string' or type(rest) ~= 'string' then return false end
  end
  return true
end
