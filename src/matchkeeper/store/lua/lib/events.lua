-- Tells the servers what a game server did with a match, for their metrics: nobody relies on it.
local function tell(channel, what, match_id, pod, now)
  redis.call('PUBLISH', channel, cjson.encode({what, match_id, pod, string.format('%.6f', now)}))
end
