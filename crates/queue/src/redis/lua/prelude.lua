-- What all scripts of a queue begin with.
--
-- KEYS: the queue itself, its messages, those that are held, what is known of them, and its dead letters.
-- ARGV[1]: the birth of the queue that the caller has open.
local queue, stream, held, known = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local dead, letters, sample, refused, wake = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local call = redis.call

-- Whoever has a deleted queue open must not find another one in its place.
if call('HGET', queue, 'birth') ~= ARGV[1] then
  return redis.error_reply('MISSING there is no such queue')
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Returns how often a message was delivered, whether it was begun, and the token of its lease.
local function state(id)
  local text = call('HGET', known, id)
  if not text then return 0, 0, '-' end
  local attempts, begun, token = string.match(text, '^(%d+) (%d) (%S+)$')
  return tonumber(attempts), tonumber(begun), token
end

local function set_state(id, attempts, begun, token)
  call('HSET', known, id, string.format('%d %d %s', attempts, begun, token))
end

-- Forgets all but the content of a message.
local function forget(id)
  call('ZREM', held, id)
  call('HDEL', known, id)
end

-- Returns what a message holds, or nothing if it is gone.
local function content(entry)
  local fields = entry and entry[2] or {}
  for index = 1, #fields, 2 do
    if fields[index] == 'c' then return fields[index + 1] end
  end
  return entry and ''
end

local function content_of(id)
  return content(call('XRANGE', stream, id, id)[1])
end

local function number(field)
  return tonumber(call('HGET', queue, field) or 0)
end

-- Wakes those who wait for messages.
local function announce(stream)
  call('XADD', stream, 'MAXLEN', 1, '*', 'w', '')
end

-- A queue that is kept for a time goes with all that it has.
local function keep(queue, keys)
  local expiry = call('HGET', queue, 'until')
  if expiry then
    for _, key in ipairs(keys) do call('PEXPIREAT', key, expiry) end
  end
end

-- Lets others have a message from a moment on.
local function hold(id, from)
  call('ZADD', held, string.format('%d', from), id)
end

-- Gives back the room of a dead letter that leaves.
local function unbury(id)
  local letter = cmsgpack.unpack(call('HGET', letters, id))
  call('HDEL', letters, id)
  call('ZREM', dead, id)
  if letter[5] == 1 then
    call('HINCRBY', queue, 'dead_bytes', -letter[1] - 256)
  else
    call('SREM', sample, id)
    call('HINCRBY', queue, 'sample_bytes', -letter[1] - 256)
  end
end

-- Returns the dead letter of a number.
local function letter_of(number)
  return call('ZRANGEBYSCORE', dead, number, number)[1]
end
