-- Lifts a ban that was made before that was asked for.
-- KEYS: the ban of an address or network in its two spellings, the set of addresses banned along with it, and
-- when it was made.
-- ARGV: what the keys of banned addresses begin with, what those of when they were made begin with, and how many
-- microseconds ago it was asked for. Answers how many bans there were.
local time = redis.call('TIME')
local asked = tonumber(time[1]) + tonumber(time[2]) / 1000000 - tonumber(ARGV[3]) / 1000000
local function is_later(made)
  local value = redis.call('GET', made)
  local at = value and tonumber(value)
  return at and at > asked
end
-- Redis takes back nothing of a script that fails halfway, as it does where this is of another kind.
local along = redis.call('SMEMBERS', KEYS[3])
if is_later(KEYS[4]) then return 0 end
local lifted = redis.call('DEL', KEYS[1], KEYS[2])
redis.call('DEL', KEYS[4])
for _, address in ipairs(along) do
  if not is_later(ARGV[2] .. address) then
    lifted = lifted + redis.call('DEL', ARGV[1] .. address)
    redis.call('DEL', ARGV[2] .. address)
  end
end
redis.call('DEL', KEYS[3])
return lifted
