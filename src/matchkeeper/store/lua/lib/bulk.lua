-- One command for many arguments, in portions that fit on Lua's stack.
local PORTION = 1000

-- The replies for all `items`, in one list. `ask` is redis.call or redis.pcall; `key` comes first.
local function ask_all(ask, command, key, items)
  if #items <= PORTION then return ask(command, key, unpack(items)) end
  local replies = {}
  for first = 1, #items, PORTION do
    for _, reply in ipairs(ask(command, key, unpack(items, first, math.min(first + PORTION - 1, #items)))) do
      replies[#replies + 1] = reply
    end
  end
  return replies
end

-- Writes all `items`; nothing where there are none.
local function tell_all(command, key, items)
  for first = 1, #items, PORTION do
    redis.call(command, key, unpack(items, first, math.min(first + PORTION - 1, #items)))
  end
end
