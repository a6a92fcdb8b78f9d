-- Gives back what one request took: a refund, or the leases of a call that has ended.
--
-- KEYS  the request, then each key something was taken from
-- ARGV  1 for a refund, which happens once: the grant is its proof, and goes with it; else 0;
--       the instant of the grant, then per key its cost and emission (0: a log)
-- gives 1 when it gave back, 0 when there was nothing to give

if ARGV[1] == '1' and redis.call('DEL', KEYS[1]) == 0 then return 0 end
for number = 2, #KEYS do
  local key, cost, emission = KEYS[number], ARGV[number * 2 - 1], tonumber(ARGV[number * 2])
  if emission == 0 then
    local units = redis.call('ZREVRANGEBYSCORE', key, ARGV[2], ARGV[2], 'LIMIT', 0, cost)
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
