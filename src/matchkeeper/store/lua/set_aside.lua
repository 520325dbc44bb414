#!lua
-- Takes tickets that cannot be read out of the queue and into the dead letters.
-- KEYS   1 remembered answer  2 queue:{tag}  3 metadata:{tag}  4 dead:{tag}  5 history:{tag}
--        then metadata:<player_id> for each ticket
-- ARGV   1 memory in milliseconds  2 how many dead letters are kept
--        then four for each ticket: player, score, raw metadata, reason
-- REPLY  the players that this call has set aside
-- AGAIN  safe: the answer is remembered.
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: hand_made
-- include: history
local answer = replayed()
if answer then return answer end
must_be_sound({KEYS[2]}, {KEYS[3]})
redis.call('XLEN', KEYS[4])
local now, done, kept = now, {}, bounded('dead letters', ARGV[2], 1, 1e7)
for i = 3, #ARGV, 4 do
  local player, raw, reason = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local score = redis.call('ZSCORE', KEYS[2], player)
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then
    redis.call('XADD', KEYS[4], 'MAXLEN', kept, '*', 'player_id', player, 'metadata', raw,
      'reason', reason, 'enqueued_at', score, 'time', string.format('%.6f', now))
    note(KEYS[5], now, 'set_aside', 'players', player, 'detail', reason)
    redis.call('ZREM', KEYS[2], player)
    redis.call('HDEL', KEYS[3], player)
    drop_hand_made(KEYS[5 + (i + 1) / 4])
    done[#done + 1] = player
  end
end
if #done == 0 then return done end
return remember(done)
