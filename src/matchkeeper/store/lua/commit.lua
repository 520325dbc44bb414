#!lua
-- Makes matches of proposals: checks that all players still wait, publishes the match, and in the
-- same step takes them out of every queue and writes the match.
-- KEYS   1 queue:{tag}  2 metadata:{tag}  3 pending:{tag}  4 matched:{tag}
--        5 history:{tag}
--        and, where ARGV names them by index: matched:{tag} of every mode, queue:{tag} and
--        metadata:{tag} of the other modes, one match:{tag}:<id> for each proposal,
--        metadata:<player_id> of tickets that were put there by hand
-- ARGV   1 msgpack {claim, channel, offer_seconds, memory_ms, places, proposals}
--          claim      true: pending until a game server claims it; false: delivered at once
--          places     [[tag, index of matched key, index of queue key or 0, index of metadata key]]
--          proposals  [{key, match_id, ids, scores, sums, sizes, offer, notices, hand_made}]
--            ids      the players, team after team; sizes, how many each team has
--            sums     the first 16 digits of the SHA-1 of the metadata that each was matched by
--            offer    the battle request in pieces; between two belongs the metadata of a player
--            notices  index in ARGV of msgpack [[channel, payload]], for the players' pods
--            hand_made  for each player 0, or the index of the key with the metadata
-- REPLY  {code, detail, …}, a pair for each proposal:
--          committed <subscribers> | no_server (nothing left the queue)
--          stale <player_id>: not there any more, in another match, or with other metadata
-- AGAIN  safe: a match id that exists answers committed, and changes nothing.
-- include: time
-- include: places
-- include: sound
-- include: hand_made
-- include: history
local call = cmsgpack.unpack(ARGV[1])
local queue, metadata, pending, matched, history = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = unix_seconds()
local places = {}
for i, place in ipairs(call.places) do places[i] = {place[1], KEYS[place[2]]} end
must_be_sound({queue, pending}, {metadata, matched})

-- The first player who is not there any more, or has come back with another place.
local function stale_player(proposal)
  local scores = redis.call('ZMSCORE', queue, unpack(proposal.ids))
  for i, id in ipairs(proposal.ids) do
    if not scores[i] or tonumber(scores[i]) ~= tonumber(proposal.scores[i]) then return id end
  end
  return (next(pending_matches(places, proposal.ids)))
end

local function metadata_of(proposal)
  local texts = redis.call('HMGET', metadata, unpack(proposal.ids))
  for i, index in ipairs(proposal.hand_made) do
    texts[i] = texts[i] or index > 0 and hand_made_text(KEYS[index]) or ''
  end
  return texts
end

local function changed_player(proposal, texts)
  for i, id in ipairs(proposal.ids) do
    if string.sub(redis.sha1hex(texts[i]), 1, 16) ~= proposal.sums[i] then return id end
  end
end

local function offer_of(proposal, texts)
  local parts = {proposal.offer[1]}
  for i, text in ipairs(texts) do
    parts[2 * i], parts[2 * i + 1] = text, proposal.offer[i + 1]
  end
  return table.concat(parts)
end

-- By team, as give_back wants them: [[[player, score, metadata], …], …]
local function teams_of(proposal, texts)
  local teams, at = {}, 0
  for t, size in ipairs(proposal.sizes) do
    teams[t] = {}
    for i = 1, size do
      at = at + 1
      teams[t][i] = {proposal.ids[at], proposal.scores[at], texts[at]}
    end
  end
  return cmsgpack.pack(teams)
end

-- Out of the other queues; what stood there is kept, to be put back with the rest.
local function leave_other_queues(ids)
  local left = {}
  for _, place in ipairs(call.places) do
    if place[3] > 0 and is_sound(KEYS[place[3]], KEYS[place[4]]) then
      local other_queue, other_metadata = KEYS[place[3]], KEYS[place[4]]
      local scores = redis.call('ZMSCORE', other_queue, unpack(ids))
      for i, id in ipairs(ids) do
        if scores[i] then
          local text = redis.call('HGET', other_metadata, id) or ''
          left[#left + 1] = {place[1], id, scores[i], text}
          redis.call('ZREM', other_queue, id)
          redis.call('HDEL', other_metadata, id)
        end
      end
    end
  end
  return left
end

local function take_out(proposal)
  redis.call('ZREM', queue, unpack(proposal.ids))
  redis.call('HDEL', metadata, unpack(proposal.ids))
  for _, index in ipairs(proposal.hand_made) do
    if index > 0 then drop_hand_made(KEYS[index]) end
  end
end

local function write_match(key, proposal, texts)
  local fields = {'state', call.claim and 'offered' or 'started', 'epoch', 1, 'offers', 1,
    'created', string.format('%.6f', now), 'players', table.concat(proposal.ids, ' ')}
  if call.claim then
    for _, field in ipairs({'tickets', teams_of(proposal, texts), 'ids', cmsgpack.pack(proposal.ids),
      'notices', ARGV[proposal.notices]}) do fields[#fields + 1] = field end
  end
  redis.call('HSET', key, unpack(fields))
end

local function write_pending(key, proposal, left)
  local fields = {}
  for _, id in ipairs(proposal.ids) do
    fields[#fields + 1] = id
    fields[#fields + 1] = proposal.match_id
  end
  redis.call('HSET', matched, unpack(fields))
  if #left > 0 then redis.call('HSET', key, 'elsewhere', cmsgpack.pack(left)) end
  redis.call('ZADD', pending, string.format('%.6f', now + call.offer_seconds), proposal.match_id)
end

local function commit(key, proposal)
  local known = redis.call('HGET', key, 'subscribers')
  if known then
    redis.call('HSET', key, 'subscribers', known) -- a write, for WAITAOF and WAIT behind it
    return 'committed', known
  end
  local stale = stale_player(proposal)
  local texts = not stale and metadata_of(proposal)
  stale = stale or changed_player(proposal, texts)
  if stale then return 'stale', stale end
  -- Written before it is published: what Redis refuses to write is not published either.
  write_match(key, proposal, texts)
  local subscribers = redis.call('PUBLISH', call.channel, offer_of(proposal, texts))
  if subscribers == 0 then
    redis.call('DEL', key)
    return 'no_server', ''
  end
  redis.call('HSET', key, 'subscribers', subscribers)
  local left = leave_other_queues(proposal.ids)
  take_out(proposal)
  if call.claim then
    write_pending(key, proposal, left)
  else
    redis.call('PEXPIRE', key, call.memory_ms)
    for _, notice in ipairs(cmsgpack.unpack(ARGV[proposal.notices])) do redis.call('PUBLISH', notice[1], notice[2]) end
  end
  note(history, now, call.claim and 'committed' or 'started', table.concat(proposal.ids, '\n'), proposal.match_id, '', '')
  return 'committed', tostring(subscribers)
end

local answers, unheard = {}, false
for i, proposal in ipairs(call.proposals) do
  local code, detail = 'no_server', ''
  if not unheard then code, detail = commit(KEYS[proposal.key], proposal) end
  unheard = unheard or code == 'no_server'
  answers[2 * i - 1], answers[2 * i] = code, detail
end
return answers
