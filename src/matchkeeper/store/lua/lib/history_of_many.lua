-- Notes many players or matches at once, in entries of a bounded size. Needs: history
local ENTRY_BYTES, OVERHEAD_BYTES = 512, 64 -- as in history.lua

-- Calls `tell` with the first and last index of each portion of `texts` that fits into an entry. Each text
-- takes `more` bytes beside itself. A text that does not fit is a portion of its own.
local function in_portions(texts, more, tell)
  local first, size = 1, OVERHEAD_BYTES
  for i = 1, #texts do
    size = size + #texts[i] + more
    if size > ENTRY_BYTES and i > first then
      tell(first, i - 1)
      first, size = i, OVERHEAD_BYTES + #texts[i] + more
    end
  end
  if texts[first] then tell(first, #texts) end
end

-- Notes many players at once.
local function note_players(history, now, what, players, ...)
  local about = {...}
  in_portions(players, 1, function(first, last)
    note(history, now, what, 'players', table.concat(players, '\n', first, last), unpack(about))
  end)
end

-- Notes a party: its players, and its id.
local function note_party(history, now, what, party, players, ...)
  note(history, now, what, 'players', table.concat(players, '\n'), 'party', party, ...)
end

-- Notes many matches at once: `matches` are their ids, `players` those of each as text.
local function note_matches(history, now, what, matches, players)
  in_portions(players, 2 + #(matches[1] or '') + 1, function(first, last)
    if first < last or #players[first] <= ENTRY_BYTES then
      note(history, now, what, 'players', table.concat(players, '\n\n', first, last),
        'match', table.concat(matches, '\n', first, last))
    else
      local lines = {}
      for line in string.gmatch(players[first], '[^\n]+') do lines[#lines + 1] = line end
      note_players(history, now, what, lines, 'match', matches[first])
    end
  end)
end

-- Notes what each pod did with many matches: `matches_of` is pod -> ids.
local function note_pods(history, now, what, matches_of)
  for pod, ids in pairs(matches_of) do
    in_portions(ids, 1, function(first, last)
      note(history, now, what, 'match', table.concat(ids, '\n', first, last), 'pod', pod)
    end)
  end
end
