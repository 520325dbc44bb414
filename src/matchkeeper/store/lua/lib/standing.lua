-- Where players of parties are: `others` and the columns are the caller's, and so is `places`, whose first
-- place is the own mode. Needs: bulk, places, parties
-- mode -> {queue key, key of the tickets in pending matches}
local keys_of_mode = {[places[1][1]] = {queue, places[1][2]}}
for i = 2, #places do keys_of_mode[places[i][1]] = {places[i][3], places[i][2]} end

-- Whether the ticket waits, or is in a pending match. Of a mode that only other servers know: as the index says.
local function stands(place)
  local of_mode, party = parts_of(place)
  local there = keys_of_mode[of_mode or '']
  if not there then return of_mode ~= nil end
  return type(redis.pcall('ZSCORE', there[1], party)) == 'string'
    or type(redis.pcall('HGET', there[2], party)) == 'string'
end

-- player -> "<mode> <party>" of those who are in a party.
local function in_parties(ids)
  local found, known = {}, {}
  for i, place in ipairs(party_places(parties, ids)) do
    if place then
      if known[place] == nil then known[place] = stands(place) end
      if known[place] then found[ids[i]] = place end
    end
  end
  return found
end
