#!lua
-- Takes tickets that cannot be read out of the queue and into the dead letters.
-- REPLY  the tickets that this call has set aside
-- AGAIN  safe: the answer is remembered.
-- declared: tickets.set_aside
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: hand_made
-- include: bulk
-- include: parties
-- include: history
-- include: history_of_many
-- include: news
local answer = replayed()
if answer then return answer end
must_be_sound({queue}, {metadata})
redis.call('XLEN', dead)
local done, together, players, told = {}, {}, cmsgpack.unpack(of_parties), {}
kept, news_ms = bounded('dead letters', kept, 1, 1e7), memory_of(news_ms)

for i = 1, letters_count do
  local player, why = ARGV[ticket_id + i], ARGV[reason + i]
  local since = redis.call('ZSCORE', queue, player)
  if since and tonumber(since) == tonumber(ARGV[score + i]) then
    redis.call('XADD', dead, 'MAXLEN', kept, '*', 'player_id', player, 'metadata', ARGV[raw + i],
      'reason', why, 'enqueued_at', since, 'time', string.format('%.6f', now))
    redis.call('ZREM', queue, player)
    redis.call('HDEL', metadata, player)
    drop_hand_made(KEYS[hand_made_metadata + i])
    if players[i] then
      together[#together + 1] = {mode .. ' ' .. player, players[i]}
      note_party(history, now, 'set_aside', player, players[i], 'detail', why)
      add_news(told, mode, set_aside_text('invalid_metadata', why), players[i], player)
    else
      note(history, now, 'set_aside', 'players', player, 'detail', why)
      add_news(told, mode, set_aside_text('invalid_metadata', why), {player})
    end
    done[#done + 1] = player
  end
end
if #done == 0 then return done end
leave_parties(parties, together)
keep_news(told, news_ms)
return remember(done)
