#!lua
-- Sets pending matches aside that cannot be read, are not there, or are over: they are no longer
-- pending, and their players are free. Players of one that is not over are dead letters.
-- KEYS   1 remembered answer  2 pending:{tag}  3 matched:{tag}  4 leaving:{tag}  5 dead:{tag}
--        6 history:{tag}, then match:{tag}:<match_id> for each
-- ARGV   1 memory in milliseconds  2 how many dead letters are kept  3 for how many milliseconds such a
--        match is kept, for people to look at
--        then four for each match: match id, the state and epoch that were read, reason
-- REPLY  {[match id, …] set aside by this call, [player, …] who are dead letters now}
-- AGAIN  safe: the answer is remembered.
-- include: time
-- include: number_in
-- include: numbers
-- include: replay
-- include: sound
-- include: history
local answer = replayed()
if answer then return answer end
must_be_sound({KEYS[2]}, {KEYS[3], KEYS[4]})
redis.call('XLEN', KEYS[5])
local now, kept = now, bounded('dead letters', ARGV[2], 1, 1e7)
local look_ms = math.floor(bounded('kept for', ARGV[3], 1, DAY * 1000))

-- match id -> {key, reason, players, when it was made}; who is changed since it was read is not meant.
local meant, done = {}, {}
for i = 4, #ARGV, 4 do
  local id, key = ARGV[i], KEYS[6 + i / 4]
  local held = redis.pcall('HMGET', key, 'state', 'epoch', 'created')
  local is_same = (held[1] or '') == ARGV[i + 1] and (held[2] or '') == ARGV[i + 2]
  if is_same and redis.call('ZSCORE', KEYS[2], id) then
    -- A game server that confirmed may have started: its players play, or are gone.
    local is_over = held[1] == 'confirmed' or held[1] == 'started' or held[1] == 'given_back'
    local made = tonumber(held[3])
    if not (made and made > 0 and made < now) then made = now end
    meant[id] = {key, ARGV[i + 3], {}, made, is_over, held.err}
    done[#done + 1] = id
  end
end
if #done == 0 then return {{}, {}} end

local matched, players = redis.call('HGETALL', KEYS[3]), {}
for i = 1, #matched, 2 do
  local match = meant[matched[i + 1]]
  if match then table.insert(match[3], matched[i]) end
end

for _, id in ipairs(done) do
  local key, reason, of_match, made, is_over, is_strange = unpack(meant[id], 1, 6)
  for _, player in ipairs(of_match) do
    redis.call('HDEL', KEYS[3], player)
    redis.call('HDEL', KEYS[4], player)
    if not is_over then
      redis.call('XADD', KEYS[5], 'MAXLEN', kept, '*', 'player_id', player, 'metadata', '',
        'reason', reason, 'enqueued_at', string.format('%.6f', made), 'time', string.format('%.6f', now))
      note(KEYS[6], now, 'set_aside', 'players', player, 'match', id, 'detail', reason)
      players[#players + 1] = player
    end
  end
  redis.call('ZREM', KEYS[2], id)
  if not is_strange and redis.call('EXISTS', key) == 1 then
    if not is_over then redis.call('HSET', key, 'state', 'set_aside') end
    redis.call('PEXPIRE', key, look_ms)
  end
end
return remember({done, players})
