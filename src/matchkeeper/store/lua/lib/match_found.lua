-- What a player of a started match is told, made of the match itself. Needs: parties, found, unpacked

-- The players of each team, and the parties as {id, players}; nil where that cannot be read.
local function teams_of(text)
  local ids, together, sizes = unpacked(text)
  if not ids or #sizes == 0 then return nil end
  local players_of, parties_of, teams, nth = {}, {}, {}, 0
  for i, each in ipairs(together) do
    local _, party = parts_of(each[1])
    players_of[party], parties_of[i] = each[2], {party, each[2]}
  end
  for t, size in ipairs(sizes) do
    teams[t] = {}
    for _ = 1, size do
      nth = nth + 1
      for _, player in ipairs(players_of[ids[nth]] or {ids[nth]}) do table.insert(teams[t], player) end
    end
  end
  if #ids > 1 then return teams, parties_of end
  -- A party that fills the match by itself is divided into the teams.
  local everybody, each_has = teams[1], #teams[1] / #teams
  for t = 1, #teams do teams[t] = {unpack(everybody, (t - 1) * each_has + 1, t * each_has)} end
  return teams, parties_of
end

local function parties_text(parties_of)
  local texts = {}
  for i, each in ipairs(parties_of) do texts[i] = cjson.encode(each[1]) .. ':' .. cjson.encode(each[2]) end
  return #texts > 0 and ',"parties":{' .. table.concat(texts, ',') .. '}' or ''
end

-- Where the rules of the mode decided it: the players of each team, their roles, and what all are told beside that.
local function seated(text)
  local seating, teams, role_of = cjson.decode(text), {}, {}
  for t, team in ipairs(seating.teams) do
    teams[t] = {}
    for n, seat in ipairs(team) do
      teams[t][n] = seat[1]
      if seat[2] ~= cjson.null then role_of[seat[1]] = seat[2] end
    end
  end
  local names = ',"team_names":' .. cjson.encode(seating.names)
  return teams, role_of, names .. (seating.region and ',"region":' .. cjson.encode(seating.region) or '')
end

-- What all players are told; nil where there is no such match. An error: it cannot be read.
local function read_match(key)
  local held = redis.pcall('HMGET', key, 'state', 'ids', 'claimed_by', 'assignment', 'secrets', 'notices', 'seating')
  local teams, parties_of = teams_of(held[1] == 'started' and held[2])
  if not teams then return nil end
  local role_of, decided = {}, ''
  if held[7] then teams, role_of, decided = seated(held[7]) end
  local m = {teams = teams, team_of = {}, party_of = {}, role_of = role_of, count = 0}
  for t, team in ipairs(teams) do
    for _, player in ipairs(team) do m.team_of[player], m.count = t, m.count + 1 end
  end
  for _, each in ipairs(parties_of) do
    for _, player in ipairs(each[2]) do m.party_of[player] = each[1] end
  end
  m.named = ',"teams":' .. cjson.encode(teams) .. parties_text(parties_of)
    .. (next(role_of) and ',"roles":' .. cjson.encode(role_of) or '')
  m.rest = decided .. ',"claimed_by":' .. (held[3] and cjson.encode(held[3]) or 'null')
    .. (held[4] and ',"assignment":' .. held[4] or '')
  local found = unpacked(held[6])
  m.secrets, m.notices = unpacked(held[5]) or {}, found and is_found(found) and found[2] or {}
  return m
end

local matches = {}

-- The same, read once for each match; false where it cannot be told.
local function started_match(key)
  if matches[key] == nil then
    local good, m = pcall(read_match, key)
    matches[key] = good and m or false
  end
  return matches[key]
end

-- The secret of a player, for that player's own pod alone: the one that was told of the match.
local function secret_text(m, player, channel)
  for _, notice in ipairs(m.notices) do
    local text = notice[1] == channel and notice[2]
    if text and m.secrets[text] and cjson.decode('[' .. text .. ']')[1] == player then
      return ',"secret":' .. m.secrets[text]
    end
  end
  return ''
end

-- `MatchFound` as JSON text, and the party that the player came with. Nil: nobody knows the match any more.
-- `most`: in matches of more players, nobody is named.
local function match_found(player, key, game_mode, channel, most)
  local m = started_match(key)
  local team = m and m.team_of[player]
  if not team then return nil end
  local other
  if m.count == 2 then
    for one in pairs(m.team_of) do other = one ~= player and one or other end
  end
  return '{"MatchFound":{' .. (other and '"opponent_id":' .. cjson.encode(other) .. ',' or '')
    .. '"match_id":' .. cjson.encode(string.match(key, '[^:]*$')) .. ',"game_mode":' .. cjson.encode(game_mode)
    .. ',"team":' .. (team - 1) .. (m.role_of[player] and ',"role":' .. cjson.encode(m.role_of[player]) or '')
    .. (m.count <= most and m.named or '') .. m.rest .. secret_text(m, player, channel)
    .. '}}', m.party_of[player]
end
