#!lua
-- Puts a dead letter back into its queue, with the place it had.
-- KEYS   1 remembered answer  2 dead:{tag}  3 queue:{tag}  4 metadata:{tag}
--        5 history:{tag}  6 match:requests, then matched:{tag} of every mode, then queue:{tag} of the other modes
-- ARGV   1 memory in milliseconds  2 entry id  3 mended metadata, or '' for what it had
--        4 number of modes, then the tags of the modes, this one first
-- REPLY  {requeued, player} | {not_found, ''} | {elsewhere, tag}
-- AGAIN  safe: the answer is remembered.
-- include: number_in
-- include: numbers
-- include: replay
-- include: bulk
-- include: places
-- include: sound
-- include: time
-- include: history
local modes = bounded('modes', ARGV[4], 1, 1000)
local answer = replayed()
if answer then return answer end
must_be_sound({KEYS[3]}, {KEYS[4]})
local entry = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not entry then return {'not_found', ''} end
local fields, places = {}, {}
for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
local id = fields['player_id']
if fields['request'] then
  local body = ARGV[3] ~= '' and ARGV[3] or fields['metadata']
  redis.call('XADD', KEYS[6], '*', 'kind', fields['request'], 'body', body)
  redis.call('XDEL', KEYS[2], ARGV[2])
  return remember({'requeued', id})
end
for i = 1, modes do
  local queue = i == 1 and KEYS[3] or KEYS[5 + modes + i]
  places[i] = {ARGV[4 + i], KEYS[6 + i], queue}
end
local place = pending_matches(places, {id})[id] or other_queues(places, {id})[id]
if place then return {'elsewhere', place} end
local since = number_in(fields['enqueued_at'], 0, now) and fields['enqueued_at'] or string.format('%.6f', now)
local text = ARGV[3] ~= '' and ARGV[3] or fields['metadata']
redis.call('ZADD', KEYS[3], since, id)
redis.call('HSET', KEYS[4], id, text)
redis.call('XDEL', KEYS[2], ARGV[2])
note(KEYS[5], now, 'requeued', 'players', id)
return remember({'requeued', id})
