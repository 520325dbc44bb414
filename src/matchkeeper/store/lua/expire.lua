#!lua
-- Takes tickets that have waited too long out of the queue.
-- KEYS   1 remembered answer  2 queue:{tag}  3 metadata:{tag}  4 history:{tag}, then metadata:<player_id> for each
-- ARGV   1 memory in milliseconds  2 longest wait in seconds  3 msgpack [{player, score}]
-- REPLY  the players that this call has taken out
-- AGAIN  safe: the answer is remembered.
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: hand_made
-- include: history
-- include: history_of_many
local answer = replayed()
if answer then return answer end
must_be_sound({KEYS[2]}, {KEYS[3]})
local done = {}
local latest = now - bounded('longest wait', ARGV[2], 0, 30 * DAY)
for i, ticket in ipairs(cmsgpack.unpack(ARGV[3])) do
  local score = tonumber(redis.call('ZSCORE', KEYS[2], ticket.player) or 'nan')
  if score == tonumber(ticket.score) and score <= latest then
    redis.call('ZREM', KEYS[2], ticket.player)
    redis.call('HDEL', KEYS[3], ticket.player)
    drop_hand_made(KEYS[4 + i])
    done[#done + 1] = ticket.player
  end
end
if #done == 0 then return done end
note_players(KEYS[4], now, 'expired', done)
return remember(done)
