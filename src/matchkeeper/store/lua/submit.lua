#!lua
-- Writes a request to the durable stream, unless too many wait there already.
-- REPLY  {added, entry id} | {full} | {no_stream}: no server was ever here
-- AGAIN  safe where the request carries a request_id, by which enqueue or dequeue knows it again.
-- declared: stream.submit
-- include: number_in
-- include: numbers
limit = bounded('how many may wait', limit, 1, 1e7)
if redis.call('EXISTS', requests) == 0 then return {'no_stream'} end
if redis.call('XLEN', requests) >= limit then return {'full'} end
return {'added', redis.call('XADD', requests, '*', 'kind', kind, 'body', body)}
