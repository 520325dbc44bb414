#!lua
-- Takes tickets that have waited too long out of the queue.
-- REPLY  the tickets that this call has taken out
-- AGAIN  safe: the answer is remembered.
-- declared: tickets.expire
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
news_ms = memory_of(news_ms)
local done, alone, together, players, told = {}, {}, {}, cmsgpack.unpack(of_parties), {}
local latest = now - bounded('longest wait', max_wait_seconds, 0, 30 * DAY)
for i = 1, tickets_count do
  local player = ARGV[ticket_id + i]
  local since = tonumber(redis.call('ZSCORE', queue, player) or 'nan')
  if since == tonumber(ARGV[score + i]) and since <= latest then
    redis.call('ZREM', queue, player)
    redis.call('HDEL', metadata, player)
    drop_hand_made(KEYS[hand_made_metadata + i])
    done[#done + 1] = player
    if players[i] then
      together[#together + 1] = {mode .. ' ' .. player, players[i]}
      note_party(history, now, 'expired', player, players[i])
      add_news(told, mode, '"Expired"', players[i], player)
    else
      alone[#alone + 1] = player
    end
  end
end
if #done == 0 then return done end
leave_parties(parties, together)
add_news(told, mode, '"Expired"', alone)
keep_news(told, news_ms)
note_players(history, now, 'expired', alone)
return remember(done)
