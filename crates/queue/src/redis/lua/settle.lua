-- ARGV: birth, what is done, its two arguments, then an id and a token for each message.
-- Returns for each message whether its lease was held: 1 or 0.
local act, first, second = ARGV[2], ARGV[3], ARGV[4]
local settled, done = {}, 0

local acts = {
  -- Changes nothing.
  look = function() end,
  ack = function(id)
    call('XDEL', stream, id)
    forget(id)
  end,
  -- Arguments: milliseconds of the lease.
  extend = function(id) hold(id, now + tonumber(first)) end,
  -- Arguments: milliseconds until it is delivered again; how many attempts it is to lose.
  retry = function(id, attempts, begun)
    set_state(id, math.max(0, attempts - tonumber(second)), begun, '-')
    hold(id, now + tonumber(first))
  end,
  -- Arguments: whether it is begun.
  mark = function(id, attempts, _, token) set_state(id, attempts, tonumber(first), token) end,
}

for index = 5, #ARGV, 2 do
  local id, token = ARGV[index], ARGV[index + 1]
  local attempts, begun, owner = state(id)
  if owner == token then
    acts[act](id, attempts, begun, token)
    done = done + 1
    settled[#settled + 1] = 1
  else
    settled[#settled + 1] = 0
  end
end
if act == 'ack' then call('HINCRBY', queue, 'acknowledged', done) end
if act == 'retry' and first == '0' and done > 0 then announce(wake) end
keep(queue, KEYS)
return settled
