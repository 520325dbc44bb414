#!lua
-- Writes a request to the durable stream, unless too many wait there already.
-- REPLY  {added, entry id} | {full} | {no_stream}: no server was ever here
-- AGAIN  safe where the request carries a request_id, by which enqueue or dequeue knows it again.
local requests = KEYS[1] -- match:requests
local limit = ARGV[1]
local kind = ARGV[2]
local body = ARGV[3]
-- The number that a text says. It is nil where the text says none, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end

-- The number that the caller says. If it says none within the bounds, the script ends here, before it has
-- changed anything. Needs: number_in
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_of(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end

limit = bounded('how many may wait', limit, 1, 1e7)
if redis.call('EXISTS', requests) == 0 then return {'no_stream'} end
if redis.call('XLEN', requests) >= limit then return {'full'} end
return {'added', redis.call('XADD', requests, '*', 'kind', kind, 'body', body)}
