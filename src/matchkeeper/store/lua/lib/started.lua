-- The last step of matches: their players are free for others, and are told which pod starts it, and what that pod wants
-- them to know: the assignment, and each player's own secret. `begin` takes one match, as {key, id, claimed_by}.
-- `end_begun` writes together what is of the queue and of the realm, and `tell_begun` tells the players, and the history.
-- Keys are those of the script. Needs: number_in, bulk, parties, found, news, unpacked, history, history_of_many
local begun = {}

-- What is in a match: players, and what they are told. Nil where that cannot be read: then nothing has changed.
local function readable(m)
  local held = redis.call('HMGET', m.key, 'ids', 'notices', 'memory', 'assignment', 'secrets')
  local players, together = unpacked(held[1])
  local found = unpacked(held[2])
  if not players or #players == 0 or not found or not is_found(found) then return end
  return players, found, number_in(held[3], 1, 86400 * 1000) or 120000, held[4], unpacked(held[5]) or {}, together
end

-- Whether the match is started now: its record can be read.
local function begin(m, token)
  local players, found, memory, assignment, secrets, together = readable(m)
  if not players then return false end
  m.state, m.confirm, m.over = 'started', token, true
  redis.call('HSET', m.key, 'state', 'started', 'confirm', token)
  -- The notices stay where they say which pod may be told a secret again.
  if next(secrets) then redis.call('HDEL', m.key, 'tickets', 'elsewhere')
  else redis.call('HDEL', m.key, 'tickets', 'elsewhere', 'notices') end
  redis.call('PEXPIRE', m.key, memory)
  begun[#begun + 1] = {m, players, found, assignment and ',"assignment":' .. assignment or '', secrets, together, memory}
  return true
end

-- What the players of all matches are to be told, should they miss it.
local function keep_begun(mode)
  local told, kept_ms = {}, 0
  for _, each in ipairs(begun) do
    local text, players_of = news_text(mode, each[1].key), {}
    for _, party in ipairs(each[6]) do
      local _, id = parts_of(party[1])
      players_of[id] = party[2]
    end
    for _, id in ipairs(each[2]) do
      for _, player in ipairs(players_of[id] or {id}) do
        told[#told + 1], told[#told + 2] = player, text
      end
    end
    kept_ms = math.max(kept_ms, each[7])
  end
  keep_news(told, kept_ms)
end

local function end_begun(mode)
  local players, ids, pods, members, left = {}, {}, {}, {}, {}
  for _, each in ipairs(begun) do
    for _, player in ipairs(each[2]) do players[#players + 1] = player end
    ids[#ids + 1], pods[#pods + 1] = each[1].id, each[1].claimed_by
    for _, party in ipairs(each[6]) do
      left[#left + 1] = party
      for _, member in ipairs(party[2]) do members[#members + 1] = member end
    end
  end
  tell_all('HDEL', matched, players)
  tell_all('ZREM', pending, ids)
  if #begun > 0 and redis.call('EXISTS', leaving, claimers) > 0 then
    tell_all('HDEL', leaving, players)
    tell_all('HDEL', leaving, members)
    redis.pcall('HDEL', claimers, unpack(pods)) -- they start what they claim
  end
  leave_parties(parties, left)
  keep_begun(mode)
end

local function tell_begun()
  local matches_of = {}
  for _, each in ipairs(begun) do
    local m = each[1]
    tell_found(each[3], cjson.encode(m.claimed_by), each[4], each[5])
    local its = matches_of[m.claimed_by] or {}
    matches_of[m.claimed_by], its[#its + 1] = its, m.id
  end
  note_pods(history, now, 'started', matches_of)
end
