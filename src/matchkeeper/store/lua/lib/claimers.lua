-- claimers:{tag} remembers game servers that claimed matches and did not start them: pod -> "<matches
-- in a row> <since> <until>". Between these two, in Unix seconds, its claims are refused; both are 0 while
-- they are not. What cannot be read counts as unknown.
local function failures_in(held)
  local count, since, till = string.match(type(held) == 'string' and held or '', '^(%d+) ([%d.]+) ([%d.]+)$')
  return tonumber(count) or 0, tonumber(since) or 0, tonumber(till) or 0
end

local function write_failures(claimers, pod, count, since, till)
  redis.call('HSET', claimers, pod, string.format('%d %.6f %.6f', count, since, till))
end
