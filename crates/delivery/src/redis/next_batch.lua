-- ARGV: items at most, bytes at most, label.
if get('part') == 0 then
  if taken == 0 then
    local total, held = 0, 0
    for _, number in ipairs(redis.call('ZRANGE', order, 0, tonumber(ARGV[5]) - 1)) do
      local payload_bytes = #payload(number)
      total = total + payload_bytes
      if taken > 0 and total > tonumber(ARGV[6]) then break end
      taken = taken + 1
      held = held + size(number)
      redis.call('RPUSH', pinned, number)
      redis.call('ZREM', order, number)
      redis.call('ZREM', giving, number)
    end
    if taken == 0 then return answer({}) end
    set('held', held)
    set('half', taken)
  end
  begin(math.min(get('half'), taken), ARGV[7])
end
local batch = {get('ordinal'), get('lost_total'), redis.call('HGET', state, 'label')}
for _, number in ipairs(redis.call('LRANGE', pinned, 0, get('part') - 1)) do
  batch[#batch + 1] = payload(number)
end
return answer(batch)
