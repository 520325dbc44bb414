-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. The fields are what, and
-- where they say something players, match, pod and detail. Players are one a line; matches are one a
-- line, too, with an empty line between their players.
local function note(history, now, ...)
  local id = string.format('%d-*', now * 1000)
  local added = redis.pcall('XADD', history, 'MAXLEN', '~', '100000', id, 'what', ...)
  if type(added) == 'table' and added.err then -- the clock has gone back
    redis.pcall('XADD', history, 'MAXLEN', '~', '100000', '*', 'what', ...)
  end
end

-- Many players at once, in entries of a bounded size.
local function note_players(history, now, what, players)
  for first = 1, #players, 100 do
    local some = table.concat(players, '\n', first, math.min(first + 99, #players))
    note(history, now, what, 'players', some)
  end
end

-- Many matches at once: `matches` are their ids, `players` those of each as text.
local function note_matches(history, now, what, matches, players)
  for first = 1, #matches, 50 do
    local last = math.min(first + 49, #matches)
    note(history, now, what, 'players', table.concat(players, '\n\n', first, last),
      'match', table.concat(matches, '\n', first, last))
  end
end
