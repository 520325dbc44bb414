#!lua
-- One server of several may send an alert, once an interval.
-- KEYS   1 alert:<name>:sent  2 alert:<name>:open
-- ARGV   1 token of this attempt  2 interval in milliseconds  3 longest outage in milliseconds
-- REPLY  1 when the caller is to send it, else 0
-- AGAIN  safe: the token that may send is told so again.
-- include: number_in
-- include: numbers
local interval = bounded('interval', ARGV[2], 1, 7 * DAY * 1000)
local longest = bounded('longest outage', ARGV[3], 1, 365 * DAY * 1000)
local holder = redis.call('GET', KEYS[1])
if holder then return holder == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', interval)
redis.call('SET', KEYS[2], ARGV[1], 'PX', longest)
return 1
