-- The number that the caller says. If it says none within the bounds, the script ends here, before it has
-- changed anything. Needs: number_in
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_of(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end
