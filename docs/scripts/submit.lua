#!lua
-- Writes a request to the durable stream, unless too many wait there already.
-- KEYS   1 match:requests
-- ARGV   1 how many may wait  2 kind (enqueue or dequeue)  3 the request as JSON
-- REPLY  {added, entry id} | {full} | {no_stream}: no server was ever here
-- AGAIN  safe where the request carries a request_id: the enqueue or dequeue knows it again.
-- The number that a text says; nil where it says none, none that is finite, or one out of bounds.
local function number_in(text, least, most)
  local number = tonumber(text)
  if number and number >= least and number <= most then return number end -- NaN is neither
end

-- The number that the caller says: where it says none that is within bounds, the script ends here, before
-- it has changed anything. Needs: number_in
local function bounded(name, text, least, most)
  local number = number_in(text, least, most)
  if not number then
    error(string.format('%s is %s, allowed is %s to %s', name, tostring(text), least, most))
  end
  return number
end

local HOUR, DAY = 3600, 86400

local function memory_ms(text)
  return math.floor(bounded('memory in milliseconds', text, 1, DAY * 1000))
end

local most = bounded('how many may wait', ARGV[1], 1, 1e7)
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no_stream'} end
if redis.call('XLEN', KEYS[1]) >= most then return {'full'} end
return {'added', redis.call('XADD', KEYS[1], '*', 'kind', ARGV[2], 'body', ARGV[3])}
