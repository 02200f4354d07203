-- ARGV: birth.
local waiting = call('ZCOUNT', held, '(' .. now, '+inf')
local letters_kept = call('ZCARD', dead)
local ready = call('XLEN', stream) - waiting - letters_kept

-- The first that is delivered next: one that is no longer held, or else a new one.
local first = call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, 1)[1]
local last, pages = call('HGET', queue, 'last') or '0-0', 0
while not first and ready > 0 and pages < 64 do
  local entry = call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)[1]
  if not entry then break end
  if not call('ZSCORE', held, entry[1]) then first = entry[1] end
  last, pages = entry[1], pages + 1
end
local sent = first and string.match(first, '^%d+') or ''
local bytes = 0
for _, key in ipairs(KEYS) do bytes = bytes + (call('MEMORY', 'USAGE', key) or 0) end
return {
  ready, waiting, number('sent'), number('acknowledged'), letters_kept, sent, bytes, call('HGETALL', refused)
}
