#!lua
-- Confirmed starts are as durable as the settings ask: the matches are started, and their players and game servers
-- are told.
-- REPLY  [code, …], one for each match: started
--          old_epoch | not_claimed | too_late | unknown_match: it was declined meanwhile, or is over
-- AGAIN  safe: what has started is told so; the players are told once.
-- declared: handoffs.settle
-- include: time
-- include: number_in
-- include: bulk
-- include: sound
-- include: history
-- include: history_of_many
-- include: parties
-- include: news
-- include: found
-- include: unpacked
-- include: started
local call = cmsgpack.unpack(packed)
-- include: tell
must_be_sound({pending}, {matched, leaving})

local function code_of(m, state, epoch, token)
  if not state then return 'unknown_match' end
  if tonumber(epoch) ~= m.epoch then return 'old_epoch' end
  if state == 'offered' or state == 'claimed' or token ~= m.token then return 'not_claimed' end
  if state ~= 'confirmed' then return state == 'started' and 'started' or 'too_late' end
  if not begin(m, token) then return 'unknown_match' end
  return 'started'
end

local codes = {}
for i, id in ipairs(call.matches) do
  local m = {key = KEYS[match + i], id = id, epoch = call.epochs[i], token = call.tokens[i]}
  local held = redis.pcall('HMGET', m.key, 'state', 'epoch', 'confirm', 'claimed_by')
  m.claimed_by = held[4]
  codes[i] = code_of(m, held[1], held[2], held[3])
end
end_begun(call.mode)
tell_begun()
for i = 1, #codes do tell(i, codes[i]) end
return codes
