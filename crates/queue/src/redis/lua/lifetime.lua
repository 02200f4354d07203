-- ARGV: birth, milliseconds that it is kept from now on at least.
local expiry = call('HGET', queue, 'until')
if expiry then
  local later = math.max(tonumber(expiry), now + tonumber(ARGV[2]))
  call('HSET', queue, 'until', string.format('%d', later))
  keep(queue, KEYS)
end
return 1
