-- Where players are, beside the queue at hand. `places` is a list of {mode, matched key, queue key or ''}.
-- The answers are tables player -> mode (and match id), with one command a place for all players.
-- The first place is our own. Another place whose key has a wrong type holds nobody, so that damage in one
-- mode does not stop the rest. Needs: bulk
local function pending_matches(places, ids)
  local found = {}
  for p, place in ipairs(places) do
    local ask = p == 1 and redis.call or redis.pcall
    local held = ask_all(ask, 'HMGET', place[2], ids)
    for i = 1, #held do
      if held[i] then found[ids[i]] = place[1] .. ' ' .. held[i] end
    end
  end
  return found
end

local function other_queues(places, ids)
  local found = {}
  for _, place in ipairs(places) do
    if place[3] ~= '' then
      local scores = ask_all(redis.pcall, 'ZMSCORE', place[3], ids)
      for i = 1, #scores do
        if scores[i] then found[ids[i]] = place[1] end
      end
    end
  end
  return found
end
