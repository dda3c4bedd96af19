-- Bans; of two bans of the same the longer one counts.
-- KEYS: the ban; then, for a network, the ban of the address that gave cause (Python workers heed no other) and
-- the set of such addresses; then what was counted against it and is forgotten.
-- ARGV: the milliseconds it lasts, and for a network that address, otherwise nothing.
-- Answers 1 where it was written, 0 where a longer one stands.
local time = redis.call('TIME')
local ends = tonumber(time[1]) + tonumber(time[2]) / 1000000 + tonumber(ARGV[1]) / 1000
local function ban(key)
  local value = redis.call('GET', key)
  local standing = value and tonumber(value)
  if standing and standing >= ends then return 0 end
  redis.call('SET', key, string.format('%.6f', ends), 'PX', ARGV[1])
  return 1
end
local written = ban(KEYS[1])
local forgotten = 2
if ARGV[2] ~= '' then
  forgotten = 4
  ban(KEYS[2])
  redis.call('SADD', KEYS[3], ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[1])
end
for i = forgotten, #KEYS do redis.call('DEL', KEYS[i]) end
return written
