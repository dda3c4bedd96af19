-- Before each script. `items` maps the number of an item to `MILLISECONDS:PAYLOAD`; `order` and `giving`
-- are sorted by number; `pinned` lists the numbers taken for batches, oldest first. ARGV begins with the
-- owner, the spool's id, the number of the call and the milliseconds of the lease.
--
-- Redis takes back nothing of a script that fails halfway. So all keys are looked at before the first of
-- them is written, and the first write is one that Redis refuses where it takes no writes.
local state, items, order, giving, pinned, owner, dead = unpack(KEYS)
local me, id, call, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local function get(field) return tonumber(redis.call('HGET', state, field) or '0') end
local function set(field, value) redis.call('HSET', state, field, string.format('%.0f', value)) end
local function size(number) return redis.call('HSTRLEN', items, number) + 64 end
local function payload(number)
  local item = redis.call('HGET', items, number)
  return string.sub(item, string.find(item, ':', 1, true) + 1)
end
local function waiting() return redis.call('ZCARD', order) + redis.call('LLEN', pinned) end
-- What every script answers with: the counts, and its own parts after them.
local function answer(rest)
  local oldest = redis.call('LINDEX', pinned, 0) or redis.call('ZRANGE', order, 0, 0)[1]
  local time = 0
  if oldest then
    local item = redis.call('HGET', items, oldest)
    time = tonumber(string.sub(item, 1, string.find(item, ':', 1, true) - 1))
  end
  local all = {get('accepted'), get('delivered'), get('dead'), waiting(), get('bytes'), time}
  for _, part in ipairs(rest) do all[#all + 1] = part end
  return all
end
-- A new batch of the first so many pinned items.
local function begin(part, label)
  set('part', part)
  set('ordinal', get('ordinal') + 1)
  set('lost_total', get('accepted') - get('delivered') - waiting())
  redis.call('HSET', state, 'label', label)
end

local sorted, taken = redis.call('ZCARD', order), redis.call('LLEN', pinned)
local known = redis.call('HGET', state, 'id')
local whole = redis.call('HLEN', items) == sorted + taken
  and redis.call('ZCARD', giving) <= sorted
  and redis.call('LLEN', dead) >= 0
  and (known or sorted + taken == 0)
  and (sorted + taken > 0 or get('bytes') == 0)
if not whole then return redis.error_reply('RWDAMAGED keys of the spool are missing') end
local holder = redis.call('GET', owner)
if holder and holder ~= me then return redis.error_reply('RWOWNED another process has it') end
