-- ARGV: birth, id, token, whether it verified, the reason, the reason as text, the most bytes of such letters, a
-- number that nobody can foresee.
-- Returns whether the lease was held, and whether the message is kept and no other was given up for it.
local id, token, is_verified, limit = ARGV[2], ARGV[3], ARGV[4] == '1', tonumber(ARGV[7])
local attempts, begun, owner = state(id)
if owner ~= token then return { 0, 0 } end
local message = content_of(id) or ''
local cost = #message + 256
local is_kept, has_replaced = true, false

if is_verified then
  if number('dead_bytes') + cost > limit then
    return redis.error_reply('FULL ' .. limit)
  end
  call('HINCRBY', queue, 'dead_bytes', cost)
else
  -- Each is as likely to be kept (reservoir sampling), as far as their sizes let it.
  math.randomseed(tonumber(ARGV[8]))
  local met = call('HINCRBY', queue, 'unverified', 1)
  local function has_room() return number('sample_bytes') + cost <= limit end
  local is_drawn = has_room() or math.random() * met < call('SCARD', sample)
  is_kept = cost <= limit and is_drawn
  if is_kept then
    while not has_room() do
      local other = call('SRANDMEMBER', sample)
      unbury(other)
      call('XDEL', stream, other)
      has_replaced = true
    end
    call('SADD', sample, id)
    call('HINCRBY', queue, 'sample_bytes', cost)
  end
end

if is_kept then
  local letter = { #message, now, attempts, begun, is_verified and 1 or 0, ARGV[5], ARGV[6] }
  call('HSET', letters, id, cmsgpack.pack(letter))
  call('ZADD', dead, call('HINCRBY', queue, 'letters', 1), id)
else
  call('XDEL', stream, id)
end
forget(id)
call('HINCRBY', refused, ARGV[5], 1)
keep(queue, KEYS)
return { 1, (is_kept and not has_replaced) and 1 or 0 }
