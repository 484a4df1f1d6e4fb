"""The shared side of a cap on revisions, as a script that Redis or Valkey runs whole.

A hash of its own for each listing and day holds a count for each life of a process; a listing has used the sum.
What a life says it knows is merged by the higher count, so that telling again counts nothing twice, and a count
never falls. A life asks for a revision by what its own count would be then: asking again gives the same one again.

One more hash for each day holds how many listings have counts, and ``epoch``, a word that whoever finds none
writes there: another word than before says that the store has forgotten the day. All keys expire by themselves.
The day comes with the keys: the server's clock has no say in it. Verdicts are those of ``domain.limits_sharing``.
"""

from __future__ import annotations

import hashlib

from connectors.budgets_script import Script

TEXT = """
local life, epoch, expires, room = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local at = 4
local function argument() at = at + 1; return ARGV[at] end

redis.call('HSETNX', KEYS[1], 'epoch', epoch)
local listings = tonumber(redis.call('HGET', KEYS[1], 'listings') or 0)
local added = 0
local answer = {redis.call('HGET', KEYS[1], 'epoch')}

for i = 2, #KEYS do
  local target, most, told = tonumber(argument()), tonumber(argument()), tonumber(argument())
  local counts, higher, verdict = {}, {}, 0
  local flat = redis.call('HGETALL', KEYS[i])
  for j = 1, #flat, 2 do counts[flat[j]] = tonumber(flat[j + 1]) end
  local function raise(name, count)
    if count > (counts[name] or 0) then counts[name] = count; higher[name] = count end
  end
  for _ = 1, told do
    local name = argument()
    raise(name, tonumber(argument()))
  end
  local others = 0
  for name, count in pairs(counts) do if name ~= life then others = others + count end end
  if target > 0 and others + target <= most then verdict = 1; raise(life, target) end

  local set = {}
  for name, count in pairs(higher) do set[#set + 1] = name; set[#set + 1] = string.format('%.0f', count) end
  if #set > 0 then
    if #flat == 0 and listings + added >= room then verdict = 2
    else
      if #flat == 0 then added = added + 1 end
      redis.call('HSET', KEYS[i], unpack(set))
      redis.call('PEXPIRE', KEYS[i], expires)
    end
  end
  local row = {verdict}
  for name, count in pairs(counts) do row[#row + 1] = name; row[#row + 1] = count end
  answer[#answer + 1] = row
end
if added > 0 then redis.call('HINCRBY', KEYS[1], 'listings', added) end
redis.call('PEXPIRE', KEYS[1], expires)
return answer
"""


def script() -> Script:
    """The script and the name by which the server knows it."""
    return Script(TEXT, hashlib.sha1(TEXT.encode(), usedforsecurity=False).hexdigest())
