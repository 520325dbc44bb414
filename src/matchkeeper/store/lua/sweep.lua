#!lua
-- Forgets players of the index whose party does not stand where the index says, or does not have them:
-- somebody took it out, or changed it, by hand.
-- REPLY  how many
-- AGAIN  safe.
-- declared: parties.sweep
-- include: bulk
-- include: parties
local swept = 0
for i = 1, entries_count do
  local player, held = ARGV[player_id + i], ARGV[place + i]
  if redis.call('HGET', parties, player) == held then
    local _, party = parts_of(held)
    local waits = party and type(redis.pcall('ZSCORE', KEYS[queue_of + i], party)) == 'string'
    local is_there = waits or party and type(redis.pcall('HGET', KEYS[matched + i], party)) == 'string'
    local players = waits and players_in(redis.pcall('HGET', KEYS[metadata + i], party))
    if players then
      is_there = false
      for _, each in ipairs(players) do is_there = is_there or each[1] == player end
    end
    if not is_there then
      redis.call('HDEL', parties, player)
      swept = swept + 1
    end
  end
end
return swept
