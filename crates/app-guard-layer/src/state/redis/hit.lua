-- Counts one in a sliding window, unless it is full. What is refused is not added, so that a client which goes
-- on knocking gets in again, and no set grows beyond its limit.
-- KEYS: a sorted set, scores in seconds. ARGV: a name that no other entry has, the limit, the window's seconds,
-- and for how many seconds the set is kept at least.
-- Answers whether it was counted, how many there are now, and the milliseconds until the oldest one leaves.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local key, limit, window, keep = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- Rules with windows of their own may share the set; what the longest of them needs expires with the set.
local from = string.format('(%.6f', now - window)
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.6f', now - math.max(keep, window)))
local count = redis.call('ZCOUNT', key, from, '+inf')
-- The request that comes a second time, as its first answer was lost.
local known = redis.call('ZSCORE', key, ARGV[1])
if known then return {1, count, 0} end
if count >= limit then
  local oldest = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local leaves = oldest[2] and math.max(0, (tonumber(oldest[2]) + window - now) * 1000) or 0
  return {0, count, math.ceil(leaves)}
end
redis.call('ZADD', key, string.format('%.6f', now), ARGV[1])
if redis.call('TTL', key) < keep then redis.call('EXPIRE', key, keep) end
return {1, count + 1, 0}
