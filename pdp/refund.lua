-- Gives back what one request took, once: its grant is the proof, and goes with it.
--
-- KEYS  the request, then each key something was taken from
-- ARGV  the instant of the grant, then per key its cost and emission (0: a log)
-- gives 1 when it gave back, 0 when there was nothing to give

if redis.call('DEL', KEYS[1]) == 0 then return 0 end
for number = 2, #KEYS do
  local key, cost, emission = KEYS[number], ARGV[number * 2 - 2], tonumber(ARGV[number * 2 - 1])
  if emission == 0 then
    local units = redis.call('ZREVRANGEBYSCORE', key, ARGV[1], ARGV[1], 'LIMIT', 0, cost)
    if #units > 0 then redis.call('ZREM', key, unpack(units)) end
  else
    local arrival = redis.call('GET', key)
    if arrival then
      local earlier = string.format('%.0f', tonumber(arrival) - tonumber(cost) * emission)
      redis.call('SET', key, earlier, 'KEEPTTL')
    end
  end
end
return 1
