-- Whether an address is banned, by itself or with a network around it.
-- KEYS: the ban of the address, then those of all networks around it; each holds the epoch seconds of its end.
-- Answers the number of the key whose ban lasts longest (0: none), and the milliseconds it still lasts.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local found, last = 0, now
for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  local ends = value and tonumber(value)
  if ends and ends > last then found, last = i, ends end
end
return {found, math.ceil(math.min(last - now, 1e11) * 1000)}
