#!lua
-- Gives one server of several the right to send an alert, once in each interval.
-- REPLY  1 when the caller is to send it, else 0
-- AGAIN  safe: the token that may send is told so again.
-- declared: coordination.alert_raise
-- include: number_in
-- include: numbers
interval_ms = bounded('interval', interval_ms, 1, 7 * DAY * 1000)
longest_outage_ms = bounded('longest outage', longest_outage_ms, 1, 365 * DAY * 1000)
local holder = redis.call('GET', sent)
if holder then return holder == token and 1 or 0 end
redis.call('SET', sent, token, 'PX', interval_ms)
redis.call('SET', open, token, 'PX', longest_outage_ms)
return 1
