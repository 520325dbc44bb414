#!lua
-- Deletes a dead letter for good.
-- REPLY  {dropped} | {not_found}
-- AGAIN  safe: the answer is remembered.
-- declared: dead_letters.drop
-- include: number_in
-- include: numbers
-- include: replay
-- include: time
-- include: history
local answer = replayed()
if answer then return answer end
local entry = redis.call('XRANGE', dead, entry_id, entry_id)[1]
if not entry then return {'not_found'} end
redis.call('XDEL', dead, entry_id)
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'player_id' then
    note(history, now, 'dropped', 'players', entry[2][i + 1])
  end
end
return remember({'dropped'})
