-- Bans; of two bans of the same the longer one counts.
-- KEYS: the ban and when it was made; then, for a network, the same of the address that gave cause (Python workers
-- heed no other) and the set of such addresses; then what was counted against it and is forgotten.
-- ARGV: the milliseconds it lasts, and for a network that address, otherwise nothing.
-- Answers 1 where it was written, 0 where a longer one stands.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local ends = now + tonumber(ARGV[1]) / 1000
local function ban(key, made)
  local value = redis.call('GET', key)
  local standing = value and tonumber(value)
  local stands = standing and standing >= ends
  -- What stands was asked for once more just now: no wish of before lifts it.
  local left = stands and string.format('%.0f', math.ceil((standing - now) * 1000)) or ARGV[1]
  redis.call('SET', made, string.format('%.6f', now), 'PX', left)
  if stands then return 0 end
  redis.call('SET', key, string.format('%.6f', ends), 'PX', ARGV[1])
  return 1
end
local written = ban(KEYS[1], KEYS[2])
local forgotten = 3
if ARGV[2] ~= '' then
  forgotten = 6
  ban(KEYS[3], KEYS[4])
  redis.call('SADD', KEYS[5], ARGV[2])
  redis.call('PEXPIRE', KEYS[5], ARGV[1])
end
for i = forgotten, #KEYS do redis.call('DEL', KEYS[i]) end
return written
