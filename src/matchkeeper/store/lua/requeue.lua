#!lua
-- Puts a dead letter back into its queue, with the place it had.
-- REPLY  {requeued, player} | {not_found, ''} | {elsewhere, mode}
-- AGAIN  safe: the answer is remembered.
-- declared: dead_letters.requeue
-- include: number_in
-- include: numbers
-- include: replay
-- include: bulk
-- include: places
-- include: sound
-- include: time
-- include: history
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
local place = pending_matches(places, {id})[id] or other_queues(places, {id})[id]
if place then return {'elsewhere', place} end
local since = number_in(fields['enqueued_at'], 0, now) and fields['enqueued_at'] or string.format('%.6f', now)
local text = mended ~= '' and mended or fields['metadata']
redis.call('ZADD', queue, since, id)
redis.call('HSET', metadata, id, text)
redis.call('XDEL', dead, entry_id)
note(history, now, 'requeued', 'players', id)
return remember({'requeued', id})
