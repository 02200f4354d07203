-- KEYS: the queue, the mark of one that was deleted.
-- ARGV: the birth of a new one, or an empty text if none is to be made; milliseconds that it is kept, or an empty text.
local birth = redis.call('HGET', KEYS[1], 'birth')
if birth then
  if redis.call('HGET', KEYS[1], 'version') ~= '1' then
    return redis.error_reply('VERSION ' .. redis.call('HGET', KEYS[1], 'version'))
  end
  return birth
end
if ARGV[1] == '' or redis.call('EXISTS', KEYS[2]) == 1 then
  return redis.error_reply('MISSING there is no such queue')
end
redis.call('HSET', KEYS[1], 'version', '1', 'birth', ARGV[1])
if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  local expiry = string.format('%d', time[1] * 1000 + tonumber(ARGV[2]))
  redis.call('HSET', KEYS[1], 'until', expiry)
  redis.call('PEXPIREAT', KEYS[1], expiry)
end
return ARGV[1]
