-- ARGV: birth, what is done, a number, the most letters.
local act, after = ARGV[2], ARGV[3]

if act == 'list' then
  local found = {}
  local page = call('ZRANGEBYSCORE', dead, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])
  for index = 1, #page, 2 do
    local id = page[index]
    local letter = cmsgpack.unpack(call('HGET', letters, id))
    local sent = string.match(id, '^%d+')
    found[#found + 1] = { page[index + 1], sent, unpack(letter) }
  end
  return found
end

local id = letter_of(after)
if not id then return false end
if act == 'content' then return content_of(id) end
local letter = cmsgpack.unpack(call('HGET', letters, id))
unbury(id)
if act == 'discard' then
  call('XDEL', stream, id)
else
  set_state(id, 0, letter[4], '-')
  hold(id, now)
  announce(wake)
end
return 1
