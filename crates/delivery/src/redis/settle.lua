-- ARGV: number of the batch, what became of it, the reason, bytes of dead letters at most.
if again then return answer({}) end
local part = get('part')
if part == 0 or tonumber(ARGV[5]) ~= get('ordinal') then
  return redis.error_reply('RWSETTLED not under way')
end
if ARGV[6] == 'split' then
  if part < 2 then return redis.error_reply('RWSINGLE one item') end
  set('half', math.floor(part / 2))
  begin(math.floor(part / 2), redis.call('HGET', state, 'label'))
else
  local most = tonumber(ARGV[8])
  if ARGV[6] == 'dead' and most > 0 then
    local letter = {ARGV[7]}
    for _, number in ipairs(redis.call('LRANGE', pinned, 0, part - 1)) do
      letter[#letter + 1] = payload(number)
    end
    letter = table.concat(letter, '\n')
    redis.call('RPUSH', dead, letter)
    local dead_bytes = get('dead_bytes') + #letter + 64
    while dead_bytes > most do
      local oldest = redis.call('LPOP', dead)
      if not oldest then dead_bytes = 0 break end
      dead_bytes = dead_bytes - #oldest - 64
    end
    set('dead_bytes', dead_bytes)
  end
  local settled = 0
  for _ = 1, part do
    local number = redis.call('LPOP', pinned)
    settled = settled + size(number)
    redis.call('HDEL', items, number)
  end
  set('bytes', get('bytes') - settled)
  set('held', get('held') - settled)
  set(ARGV[6], get(ARGV[6]) + part)
  set('part', 0)
end
set('done', call)
return answer({})
