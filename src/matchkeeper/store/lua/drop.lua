#!lua
-- Deletes a dead letter for good.
-- KEYS   1 remembered answer  2 dead:{tag}  3 history:{tag}
-- ARGV   1 memory in milliseconds  2 entry id
-- REPLY  {dropped} | {not_found}
-- AGAIN  safe: the answer is remembered.
-- include: number_in
-- include: numbers
-- include: replay
-- include: time
-- include: history
local answer = replayed()
if answer then return answer end
local entry = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not entry then return {'not_found'} end
redis.call('XDEL', KEYS[2], ARGV[2])
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'player_id' then
    note(KEYS[3], now, 'dropped', 'players', entry[2][i + 1])
  end
end
return remember({'dropped'})
