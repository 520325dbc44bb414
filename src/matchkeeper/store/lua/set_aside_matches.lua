#!lua
-- Sets aside pending matches that cannot be read, are not there, or are over. They are no longer
-- pending, and their players are free. Players of a match that is not over become dead letters.
-- REPLY  {[match id, …] set aside by this call, [player, …] who are dead letters now}
-- AGAIN  safe: the answer is remembered.
-- declared: pending.set_aside_matches
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: history
-- include: news
local answer = replayed()
if answer then return answer end
must_be_sound({pending}, {matched, leaving})
redis.call('XLEN', dead)
kept = bounded('dead letters', kept, 1, 1e7)
news_ms = memory_of(news_ms)
look_ms = math.floor(bounded('kept for', look_ms, 1, DAY * 1000))

-- match id -> {key, reason, players, when it was made}. A match that has changed since it was read stays.
local meant, done = {}, {}
for i = 1, matches_count do
  local id, key = ARGV[match_id + i], KEYS[match + i]
  local held = redis.pcall('HMGET', key, 'state', 'epoch', 'created')
  local is_same = (held[1] or '') == ARGV[state + i] and (held[2] or '') == ARGV[epoch + i]
  if is_same and redis.call('ZSCORE', pending, id) then
    -- A game server that confirmed may have started it: its players play, or are gone.
    local is_over = held[1] == 'confirmed' or held[1] == 'started' or held[1] == 'given_back'
    local made = tonumber(held[3])
    if not (made and made > 0 and made < now) then made = now end
    meant[id] = {key, ARGV[reason + i], {}, made, is_over, held.err}
    done[#done + 1] = id
  end
end
if #done == 0 then return {{}, {}} end

local held, players = redis.call('HGETALL', matched), {}
for i = 1, #held, 2 do
  local its_match = meant[held[i + 1]]
  if its_match then table.insert(its_match[3], held[i]) end
end

-- Of a party one of its players may have asked to leave, whom `matched` does not name.
local marks = redis.call('HGETALL', leaving)
for i = 1, #marks, 2 do
  if meant[string.match(marks[i + 1], '^%S*')] then redis.call('HDEL', leaving, marks[i]) end
end

local told = {}
for _, id in ipairs(done) do
  local key, why, of_match, made, is_over, is_strange = unpack(meant[id], 1, 6)
  for _, player in ipairs(of_match) do
    redis.call('HDEL', matched, player)
    if not is_over then
      redis.call('XADD', dead, 'MAXLEN', kept, '*', 'player_id', player, 'metadata', '',
        'reason', why, 'enqueued_at', string.format('%.6f', made), 'time', string.format('%.6f', now))
      note(history, now, 'set_aside', 'players', player, 'match', id, 'detail', why)
      players[#players + 1] = player
      add_news(told, mode, set_aside_text('internal_error', why), {player})
    end
  end
  redis.call('ZREM', pending, id)
  if not is_strange and redis.call('EXISTS', key) == 1 then
    if not is_over then redis.call('HSET', key, 'state', 'set_aside') end
    redis.call('PEXPIRE', key, look_ms)
  end
end
keep_news(told, news_ms)
return remember({done, players})
