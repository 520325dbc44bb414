-- leaving:{tag} remembers players who asked to leave while their match was pending: player -> the match
-- id, then the tag of each queue into which the player does not go back, separated by spaces.
local function mark_leaving(leaving, player, match_id, tag)
  local marks = redis.call('HGET', leaving, player)
  if not marks or string.match(marks, '^%S*') ~= match_id then marks = match_id end
  if not string.find(marks .. ' ', ' ' .. tag .. ' ', 1, true) then
    redis.call('HSET', leaving, player, marks .. ' ' .. tag)
  end
end

local function asked_to_leave(marks, match_id, tag)
  return marks and string.match(marks, '^%S*') == match_id
    and string.find(marks .. ' ', ' ' .. tag .. ' ', 1, true) ~= nil
end
