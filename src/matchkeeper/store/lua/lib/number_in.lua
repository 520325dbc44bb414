-- The number that a text says. It is nil where the text says none, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end
