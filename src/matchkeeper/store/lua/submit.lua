#!lua
-- Writes a request to the durable stream, unless too many wait there already.
-- KEYS   1 match:requests
-- ARGV   1 how many may wait  2 kind (enqueue or dequeue)  3 the request as JSON
-- REPLY  {added, entry id} | {full} | {no_stream}: no server was ever here
-- AGAIN  safe where the request carries a request_id: the enqueue or dequeue knows it again.
-- include: number_in
-- include: numbers
local most = bounded('how many may wait', ARGV[1], 1, 1e7)
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no_stream'} end
if redis.call('XLEN', KEYS[1]) >= most then return {'full'} end
return {'added', redis.call('XADD', KEYS[1], '*', 'kind', ARGV[2], 'body', ARGV[3])}
