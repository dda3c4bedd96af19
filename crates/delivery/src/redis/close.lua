-- The spool is free at once.
redis.call('DEL', owner)
return answer({})
