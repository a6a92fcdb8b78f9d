-- Gives back what one request took.
--
-- KEYS  the request, then each key that something may have been taken from
-- ARGV  the action:
--         refund   the call was never made; given once, because the grant is removed with it
--         release  the call has ended, and its leases end with it
--         void     it is not known whether the request was granted: undo it, and refuse it from now on
--       life of a grant (milliseconds), the instant of the grant (void: not known),
--       then per key its cost and emission (0: a log)
-- gives 1 when it gave back, 0 when there was nothing to give

local request, wanted, at, taken = KEYS[1], ARGV[1], ARGV[3], nil
local chunk = 1000 -- Lua's stack holds some 8,000 values

if wanted == 'refund' and redis.call('DEL', request) == 0 then return 0 end

if wanted == 'void' then
  local value = redis.call('GET', request)
  redis.call('SET', request, 'void', 'PX', ARGV[2])
  if not value or value == 'void' then return 0 end
  at, taken = string.match(value, '^(%d+) %x+ ([01]*)$')
end

for number = 2, #KEYS do
  local key, cost, emission = KEYS[number], ARGV[number * 2], tonumber(ARGV[number * 2 + 1])
  if taken and string.sub(taken, number - 1, number - 1) == '0' then
    -- A shadow that had failed: nothing was taken from it.
  elseif emission == 0 then
    local units = redis.call('ZREVRANGEBYSCORE', key, at, at, 'LIMIT', 0, cost)
    for first = 1, #units, chunk do
      redis.call('ZREM', key, unpack(units, first, math.min(first + chunk - 1, #units)))
    end
  else
    local arrival = redis.call('GET', key)
    if arrival then
      local earlier = string.format('%.0f', tonumber(arrival) - tonumber(cost) * emission)
      redis.call('SET', key, earlier, 'KEEPTTL')
    end
  end
end
return 1
