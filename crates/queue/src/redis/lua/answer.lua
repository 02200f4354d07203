-- KEYS, after those of the queue: the queue of the answer, its messages, its wake-ups.
-- ARGV: birth, id, token, the answer.
-- Returns 2 if there is no queue for it, 0 if the lease was lost, and else 1.
local to, messages, wake_of = KEYS[10], KEYS[11], KEYS[12]
local id, token = ARGV[2], ARGV[3]
if call('EXISTS', to) == 0 then return 2 end
local _, _, owner = state(id)
if owner ~= token then return 0 end
call('XADD', messages, '*', 'c', ARGV[4])
call('HINCRBY', to, 'sent', 1)
announce(wake_of)
keep(to, { messages, wake_of })
call('XDEL', stream, id)
forget(id)
call('HINCRBY', queue, 'acknowledged', 1)
return 1
