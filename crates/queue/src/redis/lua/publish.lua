-- ARGV: birth, milliseconds until they are delivered, messages.
local delay, ids = tonumber(ARGV[2]), {}
for index = 3, #ARGV do
  local id = call('XADD', stream, '*', 'c', ARGV[index])
  if delay > 0 then hold(id, now + delay) end
  ids[#ids + 1] = id
end
call('HINCRBY', queue, 'sent', #ids)
if delay == 0 then announce(wake) end
keep(queue, KEYS)
return ids
