-- Lifts a ban.
-- KEYS: the ban of an address or network in its two spellings, and the set of addresses banned along with it.
-- ARGV: what the keys of banned addresses begin with. Answers how many bans there were.
local lifted = redis.call('DEL', KEYS[1], KEYS[2])
for _, address in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  lifted = lifted + redis.call('DEL', ARGV[1] .. address)
end
redis.call('DEL', KEYS[3])
return lifted
