-- ARGV: birth, id.
local id = ARGV[2]
local _, begun = state(id)
if begun == 1 or call('HEXISTS', letters, id) == 1 then return 0 end
forget(id)
return call('XDEL', stream, id)
