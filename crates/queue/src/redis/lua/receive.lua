-- ARGV: birth, token, milliseconds of the lease, the most messages, the most bytes.
-- Returns the last wake-up, milliseconds until a message is no longer held (or -1), and the messages.
local token, lease = ARGV[2], tonumber(ARGV[3])
local most, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local found, taken, is_full = {}, 0, false

local function give(id, message)
  if #found > 0 and taken + #message > bytes then
    is_full = true
    return
  end
  local attempts, begun = state(id)
  set_state(id, attempts + 1, begun, token)
  hold(id, now + lease)
  taken = taken + #message
  found[#found + 1] = { id, message, attempts + 1, begun }
  is_full = #found >= most
end

local function is_before(one, other)
  local first, second = string.match(one, '(%d+)-(%d+)')
  local third, fourth = string.match(other, '(%d+)-(%d+)')
  if first ~= third then return tonumber(first) < tonumber(third) end
  return tonumber(second) < tonumber(fourth)
end

-- What is no longer held was published before everything that is new.
local over = call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, 4096)
table.sort(over, is_before)
for _, id in ipairs(over) do
  if is_full then break end
  local message = content_of(id)
  if message then give(id, message) else forget(id) end
end

-- New ones are read in pages that hold about as much as is wanted.
local last, page = call('HGET', queue, 'last') or '0-0', 1
while not is_full do
  local entries = call('XRANGE', stream, '(' .. last, '+', 'COUNT', page)
  if #entries == 0 then break end
  local largest = 1
  for _, entry in ipairs(entries) do
    local message = content(entry)
    -- One that is held was sent with a delay.
    if not call('ZSCORE', held, entry[1]) then
      give(entry[1], message)
      if is_full and (found[#found] or {})[1] ~= entry[1] then break end
    end
    last = entry[1]
    largest = math.max(largest, #message)
    if is_full then break end
  end
  page = math.max(1, math.min(256, most - #found, math.floor((bytes - taken) / largest)))
end
if #found > 0 then
  call('HSET', queue, 'last', last)
  keep(queue, KEYS)
end

local next = call('ZRANGE', held, 0, 0, 'WITHSCORES')[2]
next = next and math.max(0, tonumber(next) - now) or -1
local woken = call('XREVRANGE', wake, '+', '-', 'COUNT', 1)[1]
return { woken and woken[1] or '0-0', next, found }
