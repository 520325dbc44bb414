-- Answers a message about a match on the channel of its pod, which stands between the two parts of `channel`. `call` has the
-- columns of the messages; where there is no channel nobody is told.
local before, after = unpack(call.channel)

local function tell(i, code)
  if not before then return end
  redis.call('PUBLISH', before .. call.pods[i] .. after, '{"match_id":' .. cjson.encode(call.matches[i])
    .. ',"result_type":{"Handoff":{"kind":"' .. call.kinds[i] .. '","epoch":' .. string.format('%d', call.epochs[i])
    .. ',"token":' .. cjson.encode(call.tokens[i]) .. ',"reply":"' .. code .. '"}}}')
end
