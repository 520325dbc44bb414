-- history:{tag} is a stream of what happened: for people to look up, and for the servers' figures.
-- Nobody's safety relies on it, so that what goes wrong here is passed over. `players` are one a line.
-- Matches are one a line, too, with an empty line between their players.
local function note(history, now, what, players, match_id, pod, detail)
  local function add(id)
    return redis.pcall('XADD', history, 'MAXLEN', '~', 100000, id, 'what', what, 'players', players,
      'match', match_id, 'pod', pod, 'detail', detail)
  end
  local added = add(string.format('%.0f-*', math.floor(now * 1000)))
  if type(added) == 'table' and added.err then add('*') end -- the clock has gone back
end

-- Many players at once, in entries of a bounded size.
local function note_players(history, now, what, players, detail)
  for first = 1, #players, 100 do
    local some = table.concat(players, '\n', first, math.min(first + 99, #players))
    note(history, now, what, some, '', '', detail)
  end
end

-- Many matches at once: `matches` are their ids, `players` those of each as text.
local function note_matches(history, now, what, matches, players)
  for first = 1, #matches, 50 do
    local last = math.min(first + 49, #matches)
    local names = table.concat(players, '\n\n', first, last)
    note(history, now, what, names, table.concat(matches, '\n', first, last), '', '')
  end
end
