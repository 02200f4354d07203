-- KEYS, after those of the queue: the mark of one that was deleted.
call('SET', KEYS[10], '', 'EX', 86400)
for index = 1, 9 do call('DEL', KEYS[index]) end
return 1
