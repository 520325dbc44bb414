#!lua
-- Makes matches of proposals: checks that all players still wait, publishes the match, and in the
-- same step takes them out of every queue and writes the match.
-- KEYS   1 queue:{tag}  2 metadata:{tag}  3 pending:{tag}  4 matched:{tag}
--        and, where ARGV names them by index: matched:{tag} of every mode, queue:{tag} and
--        metadata:{tag} of the other modes, one match:{tag}:<id> for each proposal,
--        metadata:<player_id> of tickets that were put there by hand
-- ARGV   1 msgpack {claim, channel, offer_seconds, memory_ms, places, proposals}
--          claim      true: pending until a game server claims it; false: delivered at once
--          places     [[tag, index of matched key, index of queue key or 0, index of metadata key]]
--          proposals  [{key, match_id, ids, scores, tickets, offer, notices, hand_made}]
--            tickets  JSON [[[player, score, metadata], …] for each team], kept to give them back
--            offer    the battle request; notices [[channel, payload]] for the players' pods
--            hand_made  indices of keys to delete
-- REPLY  {code, detail, …}, a pair for each proposal:
--          committed <subscribers> | no_server (nothing left the queue) | stale <player_id>
-- AGAIN  safe: a match id that exists answers committed, and changes nothing.
-- include: time
-- include: places
-- include: sound
-- include: hand_made
local call = cmsgpack.unpack(ARGV[1])
local queue, metadata, pending, matched = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
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
  for _, index in ipairs(proposal.hand_made) do drop_hand_made(KEYS[index]) end
end

local function write_pending(key, proposal, left)
  local fields = {}
  for _, id in ipairs(proposal.ids) do
    fields[#fields + 1] = id
    fields[#fields + 1] = proposal.match_id
  end
  redis.call('HSET', matched, unpack(fields))
  redis.call('HSET', key, 'tickets', proposal.tickets, 'ids', cmsgpack.pack(proposal.ids),
    'elsewhere', cmsgpack.pack(left), 'notices', cmsgpack.pack(proposal.notices))
  redis.call('ZADD', pending, string.format('%.6f', now + call.offer_seconds), proposal.match_id)
end

local function commit(key, proposal)
  local known = redis.call('HGET', key, 'subscribers')
  if known then
    redis.call('HSET', key, 'subscribers', known) -- a write, for WAITAOF and WAIT behind it
    return 'committed', known
  end
  local stale = stale_player(proposal)
  if stale then return 'stale', stale end
  -- Written before it is published: what Redis refuses to write is not published either.
  redis.call('HSET', key, 'state', call.claim and 'offered' or 'started', 'epoch', 1, 'offers', 1,
    'created', string.format('%.6f', now), 'players', table.concat(proposal.ids, ' '))
  local subscribers = redis.call('PUBLISH', call.channel, proposal.offer)
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
    for _, notice in ipairs(proposal.notices) do redis.call('PUBLISH', notice[1], notice[2]) end
  end
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
