-- After the prelude, in all scripts but the one that opens.
if known ~= id then return redis.error_reply('RWGONE the spool that was opened is gone') end
-- Who had it since may have changed everything, even if it is free again now.
if redis.call('HGET', state, 'owner') ~= me then
  return redis.error_reply('RWOWNED another process took it over')
end
-- A call that was given up and comes through after later ones would be done a second time.
if call < get('call') then return redis.error_reply('RWLATE the call comes too late') end
redis.call('SET', owner, me, 'PX', lease)
set('call', call)
-- Whether this call was done before and only its answer was lost.
local again = get('done') == call
