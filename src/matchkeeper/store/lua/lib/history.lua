-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. The fields are what, and
-- where they say something players, match, pod and detail. Players are one a line; matches are one a
-- line, too, with an empty line between their players. An entry that names players is about these alone.
-- It is bounded in bytes: an entry counts as what it takes, as ENTRY_BYTES at least, and the stream has
-- no more entries than would fit if all were like the newest.
local HISTORY_BYTES, ENTRY_BYTES, OVERHEAD_BYTES = 32 * 1024 * 1024, 512, 64

local function note(history, now, what, ...)
  local _, one, _, two, _, three = ...
  local size, most = OVERHEAD_BYTES + #one + #(two or '') + #(three or ''), HISTORY_BYTES / ENTRY_BYTES
  if size > ENTRY_BYTES then most = math.floor(HISTORY_BYTES / size) end
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', most, id, 'what', what, ...)
  if type(added) == 'table' and added.err then -- the clock has gone back
    redis.pcall('XADD', history, 'MAXLEN', '~', most, '*', 'what', what, ...)
  end
end
