-- What players were told last, for those who missed it: player -> "<place> <mode> <what>". `place` is the last one that
-- had been given in any queue, so that one can tell whether the player was queued since. `what` is the key of the match
-- that started; or the news as JSON text, and behind a line break what stands beside it: ',"left_by":"p1"'.
-- It stands in five hashes, `news:0` to `news:4`, written in turn, each for a quarter of the time that news is kept;
-- then the oldest is thrown away as a whole. One command keeps the news of a batch, and there is no key a player.
-- `news` says whose turn it is. Nobody's place relies on all this: an error here is passed over. Needs: number_in
local NEWS_PARTS = 5

local function part_of_now(kept_ms)
  local held = redis.pcall('HMGET', news, 'part', 'till')
  local part, till = number_in(held[1], 0, NEWS_PARTS - 1), number_in(held[2], 0, 1e12)
  local length = kept_ms / (NEWS_PARTS - 1) / 1000
  -- A turn that would last longer than it may: the clock has gone back.
  if part and till and now < till and till - now <= length + 1 then return news .. ':' .. part end
  part = part and (part + 1) % NEWS_PARTS or 0
  redis.pcall('UNLINK', news .. ':' .. part)
  redis.pcall('HSET', news, 'part', part, 'till', string.format('%.3f', now + length))
  redis.pcall('PEXPIRE', news, 2 * kept_ms)
  return news .. ':' .. part
end

-- Keeps news for a time: `told` is a list of player, text, player, text, …
local function keep_news(told, kept_ms)
  if #told == 0 then return end
  local key = part_of_now(kept_ms)
  for first = 1, #told, 1000 do
    redis.pcall('HSET', key, unpack(told, first, math.min(first + 999, #told)))
  end
  redis.pcall('PEXPIRE', key, kept_ms)
end

-- The text of the news, for any player of the batch.
local place_of_now
local function news_text(mode, what)
  if not place_of_now then
    local given = redis.pcall('HGET', clock, 'place')
    place_of_now = type(given) == 'string' and given or '0'
  end
  return place_of_now .. ' ' .. mode .. ' ' .. what
end

-- The error that says why somebody was set aside, as the pods are told.
local function set_aside_text(code, why)
  return '{"Error":{"code":"' .. code .. '","message":' .. cjson.encode('Set aside: ' .. why) .. '}}'
end

-- The same news for players who left the queue: `result` is JSON text. `by` took the others out.
local function add_news(told, mode, result, players, party, by)
  local beside = party and ',"party_id":' .. cjson.encode(party) or ''
  local of_others = by and by ~= '' and beside .. ',"left_by":' .. cjson.encode(by) or beside
  for _, player in ipairs(players) do
    told[#told + 1] = player
    told[#told + 1] = news_text(mode, result .. '\n' .. (player == by and beside or of_others))
  end
end
