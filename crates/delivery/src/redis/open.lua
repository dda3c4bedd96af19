-- ARGV[2] is the id for a new spool.
local format = redis.call('HGET', state, 'format')
if known and format ~= '1' then
  return redis.error_reply('RWFORMAT the spool is of another version')
end
redis.call('SET', owner, me, 'PX', lease)
if not known then redis.call('HSET', state, 'id', id, 'format', '1') end
if redis.call('HGET', state, 'owner') ~= me then
  redis.call('HSET', state, 'owner', me, 'call', '0', 'done', '0')
end
return answer({redis.call('HGET', state, 'id')})
