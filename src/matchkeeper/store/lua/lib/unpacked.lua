local function or_empty(value)
  return type(value) == 'table' and value or {}
end

-- Up to three tables that stand in a text one behind the other; nothing where the first cannot be read.
local function unpacked(text)
  local is_readable, first, second, third = pcall(cmsgpack.unpack, text or '')
  if is_readable and type(first) == 'table' then return first, or_empty(second), or_empty(third) end
end
