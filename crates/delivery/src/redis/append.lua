-- ARGV: bytes at most, milliseconds, how many items before these were too large to be sent; then for each
-- item whether it gives way, and its payload.
if not again then
  local most, time, dropped = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
  local kept, bytes, held = 0, get('bytes'), get('held')
  local next = get('accepted') + dropped
  for at = 8, #ARGV, 2 do
    local number = string.format('%.0f', next)
    next = next + 1
    local item = time .. ':' .. ARGV[at + 1]
    if held + #item + 64 > most then
      dropped = dropped + 1
    else
      kept = kept + 1
      redis.call('HSET', items, number, item)
      redis.call('ZADD', order, number, number)
      if ARGV[at] == '1' then redis.call('ZADD', giving, number, number) end
      bytes = bytes + #item + 64
      while bytes > most do
        -- The latest of those that give way tells more than any before it, so it stays.
        local from = redis.call('ZCARD', giving) > 1 and giving or order
        local victim = redis.call('ZRANGE', from, 0, 0)[1]
        if not victim then break end
        bytes = bytes - size(victim)
        redis.call('ZREM', order, victim)
        redis.call('ZREM', giving, victim)
        redis.call('HDEL', items, victim)
      end
    end
  end
  set('accepted', next)
  set('bytes', bytes)
  set('kept', kept)
  set('refused', dropped)
  set('done', call)
end
return answer({get('kept'), get('refused')})
