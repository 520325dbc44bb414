-- parties is the index of players who are in a party: player -> "<mode> <party>", while that ticket waits or
-- is in a pending match. It counts only as long as the ticket stands there: what is left of a ticket that
-- somebody took out by hand refuses nobody. A key of another type holds nobody. Needs: bulk
-- Where each of `ids` is said to be; nothing for those who are in no party.
local function party_places(parties, ids)
  local count = #ids > 0 and redis.pcall('HLEN', parties)
  if type(count) ~= 'number' or count == 0 then return {} end
  return ask_all(redis.call, 'HMGET', parties, ids)
end

-- Mode and party.
local function parts_of(place)
  return string.match(place, '^(%S+) (.+)$')
end

-- The players of a party, as tables {player, pod}; nil where the text is that of a lone player, or names nobody.
local function players_in(text)
  if type(text) ~= 'string' or not string.find(text, '"players"', 1, true) then return nil end
  local readable, fields = pcall(cjson.decode, text)
  if not readable or type(fields) ~= 'table' or type(fields.players) ~= 'table' then return nil end
  local found = {}
  for _, each in ipairs(fields.players) do
    local id = type(each) == 'table' and each.player_id
    local pod = id and (type(each.pod_id) == 'string' and each.pod_id or fields.pod_id)
    if type(id) == 'string' then found[#found + 1] = {id, type(pod) == 'string' and pod or ''} end
  end
  return found[1] and found
end

local function ids_of(players)
  local ids = {}
  for i, each in ipairs(players) do ids[i] = each[1] end
  return ids
end

-- The players of these parties are no longer in them. `together`: place and players of each.
local function leave_parties(parties, together)
  local ids, places, left = {}, {}, {}
  for _, each in ipairs(together) do
    for _, id in ipairs(each[2]) do
      ids[#ids + 1], places[#places + 1] = id, each[1]
    end
  end
  for i, held in ipairs(party_places(parties, ids)) do
    if held == places[i] then left[#left + 1] = ids[i] end
  end
  tell_all('HDEL', parties, left)
end
