#!lua
-- Puts a dead letter back into its queue, with the place it had.
-- REPLY  {requeued, player} | {not_found, ''} | {elsewhere, mode}: of a party one of its players, too
-- AGAIN  safe: the answer is remembered.
-- declared: dead_letters.requeue
-- include: number_in
-- include: numbers
-- include: replay
-- include: bulk
-- include: places
-- include: parties
-- include: sound
-- include: time
-- include: history
-- include: history_of_many
local answer = replayed()
if answer then return answer end
must_be_sound({queue}, {metadata})
local entry = redis.call('XRANGE', dead, entry_id, entry_id)[1]
if not entry then return {'not_found', ''} end
local fields, places = {}, {{mode, matched, queue}}
for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
local id = fields['player_id']
if fields['request'] then
  local body = mended ~= '' and mended or fields['metadata']
  redis.call('XADD', requests, '*', 'kind', fields['request'], 'body', body)
  redis.call('XDEL', dead, entry_id)
  return remember({'requeued', id})
end
-- include: other_places
-- include: standing
local text = mended ~= '' and mended or fields['metadata']
local players = ids_of(players_in(text) or {})
local everybody, entered = {id, unpack(players)}, {}
local pending, waiting, in_party = pending_matches(places, everybody), other_queues(places, everybody), in_parties(everybody)
for _, each in ipairs(everybody) do
  local where = pending[each] or waiting[each] or in_party[each]
  if where then return {'elsewhere', where} end
end
local since = number_in(fields['enqueued_at'], 0, now) and fields['enqueued_at'] or string.format('%.6f', now)
for _, player in ipairs(players) do
  local n = #entered
  entered[n + 1], entered[n + 2] = player, mode .. ' ' .. id
end
tell_all('HSET', parties, entered)
redis.call('ZADD', queue, since, id)
redis.call('HSET', metadata, id, text)
redis.call('XDEL', dead, entry_id)
if #players > 0 then note_party(history, now, 'requeued', id, players)
else note(history, now, 'requeued', 'players', id) end
return remember({'requeued', id})
