-- One step of the limits, as `pdp.limits.budgets.step` defines it; property tests compare the two.
-- All claims of a batch, in order, each all or nothing, by the server's clock, in one script.
--
-- KEYS  counters and requests, each once
-- ARGV  now (microseconds; 0: the server's clock), life of a grant (milliseconds), number of claims;
--       per claim: place of its request key, its fingerprint, number of budgets;
--       per budget: place of its key, algorithm, window, max, cost, emission, burst, shadow
-- gives now, and per claim {granted at (0: refused), {passed, remaining, retry after ms} per budget}
--
-- Numbers stay below 2^53, where doubles are exact; they are written with %.0f, never with an exponent.

local place = 0
local function next_argument()
  place = place + 1
  return ARGV[place]
end
local function next_number() return tonumber(next_argument()) end
local function text(number) return string.format('%.0f', number) end

local now = next_number()
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local grant_life = next_number()

-- A log is a sorted set of units, scored by the instant at which they were taken.
local log = {}

function log.add(budget, count)
  local at = text(now)
  local there = redis.call('ZCOUNT', budget.key, at, at)
  for number = there + 1, there + count do
    redis.call('ZADD', budget.key, at, at .. ':' .. string.format('%07d', number))
  end
  redis.call('PEXPIRE', budget.key, text(math.ceil(budget.window / 1000) + 1000))
end

function log.judge(budget)
  local future = redis.call('ZCOUNT', budget.key, '(' .. text(now), '+inf')
  if future > 0 then
    redis.call('ZREMRANGEBYSCORE', budget.key, '(' .. text(now), '+inf')
    log.add(budget, future)
  end
  local oldest = '(' .. text(now - budget.window)
  local held = redis.call('ZCOUNT', budget.key, oldest, '+inf')
  local excess = held + budget.cost - budget.max
  local remaining = math.max(0, budget.max - held)
  if excess <= 0 then return 1, remaining, 0 end
  if budget.cost > budget.max then return 0, remaining, -1 end
  local unit = redis.call(
    'ZRANGEBYSCORE', budget.key, oldest, '+inf', 'WITHSCORES', 'LIMIT', excess - 1, 1
  )
  return 0, remaining, math.ceil((tonumber(unit[2]) + budget.window - now) / 1000)
end

function log.take(budget)
  redis.call('ZREMRANGEBYSCORE', budget.key, '-inf', text(now - budget.window))
  log.add(budget, budget.cost)
end

-- Leases are a log whose units are given back when the call ends, at a time that is not known.
local leases = {take = log.take}

function leases.judge(budget)
  local passed, remaining, retry = log.judge(budget)
  return passed, remaining, math.min(retry, 1000)
end

-- A rate is one number, its theoretical arrival time.
local rate = {}

function rate.write(budget, arrival)
  local life = math.ceil((arrival - now) / 1000) + 1000
  redis.call('SET', budget.key, text(arrival), 'PX', text(math.max(life, 1000)))
end

function rate.arrival(budget)
  local arrival = tonumber(redis.call('GET', budget.key) or 0)
  local latest = now + budget.burst * budget.emission
  if arrival > latest then
    rate.write(budget, latest)
    arrival = latest
  end
  return math.max(arrival, now)
end

function rate.judge(budget)
  local arrival = rate.arrival(budget)
  local room = now + budget.burst * budget.emission - arrival
  local remaining = math.max(0, math.floor(room / budget.emission))
  if budget.cost > budget.burst then return 0, remaining, -1 end
  local wait = arrival + (budget.cost - budget.burst) * budget.emission - now
  if wait <= 0 then return 1, remaining, 0 end
  return 0, remaining, math.ceil(wait / 1000)
end

function rate.take(budget)
  rate.write(budget, rate.arrival(budget) + budget.cost * budget.emission)
end

local algorithms = {sliding_log = log, concurrency = leases, gcra = rate}

local function read_claim()
  local claim = {request = KEYS[next_number()], fingerprint = next_argument(), budgets = {}}
  for number = 1, next_number() do
    claim.budgets[number] = {
      key = KEYS[next_number()],
      algorithm = algorithms[next_argument()],
      window = next_number(),
      max = next_number(),
      cost = next_number(),
      emission = next_number(),
      burst = next_number(),
      shadow = next_number() == 1,
    }
  end
  return claim
end

-- The grant of an earlier request with this id and this fingerprint: when, and which budgets.
local function granted_before(claim)
  local value = redis.call('GET', claim.request)
  if not value or value == 'void' then return nil end
  local at, fingerprint, mask = string.match(value, '^(%d+) (%x+) ([01]*)$')
  if fingerprint ~= claim.fingerprint then return nil end
  return tonumber(at), mask
end

local function judge(claim)
  local passes, found = true, {}
  for number, budget in ipairs(claim.budgets) do
    local passed, remaining, retry = budget.algorithm.judge(budget)
    found[number] = {passed, remaining, retry}
    passes = passes and (passed == 1 or budget.shadow)
  end
  return passes, found
end

local function take(claim, found)
  local mask = {}
  for number, budget in ipairs(claim.budgets) do
    if found[number][1] == 1 then
      budget.algorithm.take(budget)
      found[number][2] = found[number][2] - budget.cost
    end
    mask[number] = found[number][1]
  end
  local value = text(now) .. ' ' .. claim.fingerprint .. ' ' .. table.concat(mask)
  redis.call('SET', claim.request, value, 'PX', text(grant_life))
end

local answer = {now}
for _ = 1, next_number() do
  local claim = read_claim()
  local at, mask = granted_before(claim)
  local passes, found = judge(claim)
  if at then
    for number = 1, #found do
      local taken = string.sub(mask, number, number) == '1'
      found[number][1] = taken and 1 or 0
      if taken then found[number][3] = 0 end
    end
  elseif passes and redis.call('GET', claim.request) ~= 'void' then
    take(claim, found)
    at = now
  end
  answer[#answer + 1] = {at or 0, found}
end
return answer
