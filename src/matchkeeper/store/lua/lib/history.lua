-- history:{tag} is a stream of what happened, for people to look up and for the servers' figures.
-- Nobody's safety relies on it, so an error here is passed over. The fields are `what` and, where they say
-- something, `players`, `party`, `match`, `pod` and `detail`. Players are one a line. Matches are one a line, too,
-- with an empty line between their players. An entry that names players is about these alone.
-- The stream is bounded to 32 MiB. An entry counts 64 bytes and its texts, and 512 bytes at least; the
-- stream has no more entries than would fit if all were like the newest.
local function note(history, now, what, ...)
  local most, _, one, _, two, _, three = 65536, ...
  local size = 64 + #one + #(two or '') + #(three or '')
  if size > 512 then most = math.floor(65536 * 512 / size) end
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', most, id, 'what', what, ...)
  if type(added) == 'table' and added.err then -- the clock has stepped back
    redis.pcall('XADD', history, 'MAXLEN', '~', most, '*', 'what', what, ...)
  end
end
