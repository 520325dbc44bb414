-- The number that a text says; nil where it says none, none that is finite, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end

-- As above for what the caller says: else the script ends here, before it has changed anything.
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_ms(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end
