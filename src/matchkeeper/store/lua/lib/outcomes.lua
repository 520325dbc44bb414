-- Decides what comes of each request of a batch, and adds its code and detail to `answers`. The order is:
-- what is known of the request, whether it still stands in its stream, whether it was sent twice, whether it
-- comes too late. The script that includes this says what differs: DONE, the code of a request that has its
-- effect; SINCE, what comes of one that is sent again after a newer one; is_over(i, code, detail), whether what came of
-- it no longer holds; too_late(i, latest, is_old), why it is no longer done, and the detail; decide(i), what else comes
-- of it. Needs: seen
local mine, too_old = still_there(call)
local before = #answers
for i = 1, #ids do
  local key, latest = names[2 * i - 1], names[2 * i]
  local token, code, detail, held_in = seen_before(key, latest)
  -- A sender that repeats what was not done still wants it.
  local is_again = token and code ~= 'request_expired' and code ~= 'mode_drained' and code ~= 'queue_full'
  if token == call.tokens[i] then
    redis.call('PEXPIRE', held_in, call.memory_ms) -- a write, for WAITAOF and WAIT behind it
  elseif not mine[i] then
    code, detail = 'duplicate', ''
  elseif is_again and (is_over(i, code, detail) or another_since(key, latest)) then
    -- It may well come again: what is known of it and of the player stays known.
    redis.call('PEXPIRE', key, call.memory_ms)
    redis.call('PEXPIRE', latest, call.memory_ms)
    code, detail = is_over(i, code, detail) and 'over' or SINCE, ''
  else
    if is_again then
      code = code == DONE and 'again' or code
    else
      code, detail = too_late(i, latest, too_old[i])
      if not code then
        code, detail = decide(i)
        note_latest(key, latest, call, i, code == DONE, now, code == 'queued' and detail)
      end
    end
    remember(key, latest, call.tokens[i] .. '\n' .. code .. '\n' .. detail)
  end
  answers[before + 2 * i - 1], answers[before + 2 * i] = code, detail
end
