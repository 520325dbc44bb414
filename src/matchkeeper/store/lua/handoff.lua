#!lua
-- Does what game servers ask about matches of one queue, in their order: claim, confirm, start (both in one) and
-- decline. Where a start is to be durable first, nobody is told yet, and nobody but that game server can take it
-- back any more: the caller waits until it is, and settles it.
-- REPLY  [code, …], one for each message:
--          claimed | started | declined | confirmed (to be settled)
--          unknown_match | old_epoch | unknown_epoch | not_claimed | already_claimed | other_token | too_late
--          refused: this game server has claimed matches and started none; for a while it may not
-- AGAIN  safe: the same message gets the same code, as long as that still holds.
-- declared: handoffs.handoff
-- include: time
-- include: number_in
-- include: numbers
-- include: bulk
-- include: sound
-- include: history
-- include: history_of_many
-- include: claimers
-- include: parties
-- include: news
-- include: found
-- include: unpacked
-- include: started
local call = cmsgpack.unpack(packed)
-- include: tell
local ids, pods, tokens = call.matches, call.pods, call.tokens
must_be_sound({pending}, {matched, leaving})
local deadlines = ask_all(redis.call, 'ZMSCORE', pending, ids)
local some_fail = redis.call('EXISTS', claimers) == 1

-- What stands in each match, read once: no match twice, however many ask for it.
local matches = {}
local function match_of(i)
  local m = matches[ids[i]]
  if m then return m end
  local key = KEYS[match + i]
  local held = redis.pcall('HMGET', key, 'state', 'epoch', 'token', 'confirm', 'claimed_by', 'declined', 'lease', 'said',
    'hand')
  m = {key = key, id = ids[i], state = held[1], epoch = tonumber(held[2] or nil), token = held[3], confirm = held[4],
    claimed_by = held[5], declined = held[6], lease = number_in(held[7], 0, HOUR) or 10, said = held[8] or '', hand = held[9],
    deadline = tonumber(deadlines[i] or nil)}
  m.taken = m.state == 'claimed' or m.state == 'confirmed' or m.state == 'started'
  matches[ids[i]] = m
  return m
end

-- Written together at the end: match id -> its new deadline, and what pods did, for the history.
local due, claimed, confirmed, declined = {}, {}, {}, {}

local function is_due(m, at)
  m.deadline, due[m.id] = at, at
end

local function happened(matches_of, m)
  local ids = matches_of[m.claimed_by] or {}
  matches_of[m.claimed_by], ids[#ids + 1] = ids, m.id
end

-- What was refused and could come true later is kept, so that it does not when the message comes again: its sender has
-- given up. The last few are enough.
local function refuse(i, m, code)
  m.said = string.sub(m.said .. '\n' .. call.kinds[i] .. ' ' .. tokens[i] .. '\n', -2048)
  redis.call('HSET', m.key, 'said', m.said)
  return code
end

local function is_refused(i, m)
  return string.find(m.said, '\n' .. call.kinds[i] .. ' ' .. tokens[i] .. '\n', 1, true)
end

-- When the time of a refusal is over one claim is let through, and others only once it is known what came of
-- it. A clock that has gone back refuses nobody.
local function may_claim(pod, lease)
  local count, since, till = failures_in(redis.pcall('HGET', claimers, pod))
  if till > 0 and now >= since then
    if now < till then return false end
    write_failures(claimers, pod, count, since, now + lease)
  end
  return true
end

local function claim(i, m)
  local pod, token = pods[i], tokens[i]
  if m.taken then
    if m.claimed_by ~= pod then return 'already_claimed' end
    if m.token ~= token then return 'other_token' end
    redis.call('HSET', m.key, 'token', token) -- a write, for WAITAOF and WAIT behind it
    return 'claimed'
  end
  if m.state ~= 'offered' or not m.deadline or now > m.deadline then return 'too_late' end
  if is_refused(i, m) then return 'refused' end
  if some_fail and not may_claim(pod, m.lease) then return refuse(i, m, 'refused') end
  m.state, m.taken, m.claimed_by, m.token = 'claimed', true, pod, token
  redis.call('HSET', m.key, 'state', 'claimed', 'claimed_by', pod, 'token', token)
  is_due(m, now + m.lease)
  happened(claimed, m)
  return 'claimed'
end

-- What the players are to know, as JSON text, and a secret for each.
local function assign(i, m)
  local assigned = call.assigned[i]
  if not assigned then return end
  redis.call('HSET', m.key, 'assignment', assigned[1], 'secrets', cmsgpack.pack(assigned[2]))
end

local function confirm(i, m)
  local token = tokens[i]
  if m.state == 'offered' then return is_refused(i, m) and 'not_claimed' or refuse(i, m, 'not_claimed') end
  if not m.taken then return 'too_late' end
  if m.claimed_by ~= pods[i] then return 'already_claimed' end
  if m.state ~= 'claimed' then
    if m.confirm ~= token then return 'other_token' end
    redis.call('HSET', m.key, 'confirm', token) -- a write, for WAITAOF and WAIT behind it
    if m.state == 'confirmed' and m.hand ~= call.hand then
      m.hand = '' -- nobody has it in hand alone any more
      redis.call('HSET', m.key, 'hand', '')
    end
    if m.state == 'confirmed' and m.deadline and now > m.deadline then is_due(m, now + m.lease) end
    return m.state
  end
  if is_refused(i, m) then return 'not_claimed' end
  if not m.deadline or now > m.deadline then return 'too_late' end
  assign(i, m)
  if call.durable then
    m.state, m.confirm, m.hand = 'confirmed', token, call.hand
    redis.call('HSET', m.key, 'state', 'confirmed', 'confirm', token, 'hand', call.hand)
    is_due(m, now + m.lease) -- another lease to be durable in, or to be declined
    happened(confirmed, m)
    return 'confirmed'
  end
  if not begin(m, token) then return 'unknown_match' end
  return 'started'
end

-- The match can be offered again.
local function give(i, m, token)
  happened(declined, m)
  m.state, m.taken, m.declined, m.claimed_by, m.token, m.confirm = 'offered', false, token, false, false, false
  redis.call('HDEL', m.key, 'token', 'claimed_by', 'confirm', 'hand', 'assignment', 'secrets')
  redis.call('HSET', m.key, 'state', 'offered', 'declined', token, 'declined_by', pods[i])
  is_due(m, 0)
  return 'declined'
end

local function decline(i, m)
  if m.declined == tokens[i] then return 'declined' end
  if m.state == 'offered' then return is_refused(i, m) and 'not_claimed' or refuse(i, m, 'not_claimed') end
  if not m.taken then return 'too_late' end
  if m.claimed_by ~= pods[i] then return 'already_claimed' end
  if m.state == 'started' then return 'started' end
  if is_refused(i, m) then return 'not_claimed' end
  return give(i, m, tokens[i])
end

-- Gives back what a message has taken that was not durable in time. Not a start that has come again since: whoever has
-- it in hand may have told of it, also before a failover that has forgotten so.
local function undo(i, m)
  local token = tokens[i]
  local mark = token .. ' not durable'
  if m.declined == mark then return 'declined' end
  if not m.taken or m.claimed_by ~= pods[i] then return 'not_claimed' end
  if m.state == 'started' then return (m.confirm == token or m.token == token) and 'started' or 'not_claimed' end
  if m.state == 'claimed' or m.confirm == token and m.hand == call.hand then return give(i, m, mark) end
  return 'confirmed'
end

local function answer(i)
  local kind, m = call.kinds[i], match_of(i)
  local epoch = call.epochs[i]
  if not m.state or not m.epoch then return 'unknown_match' end
  if m.epoch ~= epoch then return m.epoch > epoch and 'old_epoch' or 'unknown_epoch' end
  if kind == 'claim' then return claim(i, m) end
  if kind == 'confirm' then return confirm(i, m) end
  if kind == 'decline' then return decline(i, m) end
  if kind == 'undo' then return undo(i, m) end
  local code = claim(i, m)
  return code == 'claimed' and confirm(i, m) or code
end

local GOOD = {claimed = true, started = true, declined = true, confirmed = true}
local TOLD = {already_claimed = true, refused = true} -- of a claim, they happen each time that two are fast

local codes, refused = {}, {}
for i = 1, #ids do
  local code, kind = answer(i), call.kinds[i]
  codes[i] = code
  local is_claim = kind == 'claim' or kind == 'start'
  if not GOOD[code] and kind ~= 'decline' and kind ~= 'undo' and not (is_claim and TOLD[code]) then
    refused[#refused + 1] = {i, is_claim}
  end
end

local deadlines_due = {}
for id, at in pairs(due) do
  if not matches[id].over then
    deadlines_due[#deadlines_due + 1], deadlines_due[#deadlines_due + 2] = string.format('%.6f', at), id
  end
end
tell_all('ZADD', pending, deadlines_due)
end_begun(call.mode)
-- include: done
for _, each in ipairs(refused) do
  local i, is_claim = unpack(each)
  note(history, now, is_claim and 'claim_refused' or 'confirm_refused', 'match', ids[i], 'pod', pods[i],
    'detail', codes[i])
end
-- In this order they happen to a match.
note_pods(history, now, 'claimed', claimed)
note_pods(history, now, 'confirmed', confirmed)
note_pods(history, now, 'declined', declined)
tell_begun()
if not call.durable then
  for i = 1, #ids do
    -- What other settings have left confirmed is told once it is settled.
    if codes[i] ~= 'confirmed' then tell(i, codes[i]) end
  end
end
return codes
