"""The shared side of a budget as a script that Redis or Valkey runs whole, by its own clock.

One hash holds an account: the arrival time of each meter, the slowdown after refusals, and a row for each member
(``m:<name>`` = life|joined|seen|told). The arithmetic is that of ``domain.gcra``; a test holds both together.
Numbers are integers below 2**53 and are written with ``%.0f``, since Lua would write them as 1.8e+15.

``run`` names the run of the server that granted last. Another one (restarted, or a replica that took over) may
not know of the last grants, so its meters count as empty. They do as well when somebody may have called alone: a
member that was silent comes back, leaves or is forgotten. ``left`` is what the channel says is left (-1: nothing
new), and lowers the meters to that.

``told`` is the largest share that a member may believe to have. The sum of all never exceeds the whole: somebody
new waits until the others have confirmed that they know of their smaller shares.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import NamedTuple

from domain.gcra import LONGEST_INTERVAL, ONE_INCIDENT, RECOVERY, SHARES, SLOWEST

MAX_MEMBERS = 64
MAX_PARTS = 16

CLOCK = "redis.call('TIME')"


class Status(IntEnum):
    """How a request ended."""

    SERVED = 0
    LATE = 1
    """It arrived after it was void. Nothing was changed."""
    TAKEN = 2
    """Somebody else uses this name now."""
    FULL = 3
    """There are too many members."""


class Answer(NamedTuple):
    """What the script returns; times in microseconds of the server's clock."""

    status: Status
    granted: int
    wait: int
    """Until there is one more token than those that were granted; where none was, until there are ``least``."""
    share: int
    now: int
    live: int
    factor: int


_SCRIPT = """
local key, op, name, life, run = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local a = {}
for i = 5, #ARGV do a[i - 4] = tonumber(ARGV[i]) end
local wanted, deadline, holds, fresh, refused, retry_after, calling = a[1], a[2], a[3], a[4], a[5], a[6], a[7]
local least, left = a[8], a[9]
local late, silent_after, alone_after, forget_after = a[10], a[11], a[12], a[13]
local parts, serial = a[14], a[15]
local SHARES, SLOWEST, RECOVERY, INCIDENT = %(shares)d, %(slowest)d, %(recovery)d, %(incident)d
local grace = math.max(alone_after, serial)
local clock = %(clock)s
local now = clock[1] * 1000000 + clock[2]
if deadline > 0 and now > deadline then return {1, 0, 0, 0, now, 0, 0} end

local h, rows, count, forgotten, set = {}, {}, 0, {}, {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
local function number(field, default) return tonumber(h[field] or default) end
local function put(field, value) set[#set + 1] = field; set[#set + 1] = string.format('%%.0f', value) end
local function up(x, y) return math.ceil(x / y) end

local empties = fresh == 1 or h.run ~= run
for field, value in pairs(h) do
  if string.sub(field, 1, 2) == 'm:' then
    local l, joined, seen, told = string.match(value, '^(.-)|(%%d+)|(%%d+)|(%%d+)$')
    local row = {life = l, joined = tonumber(joined), seen = tonumber(seen), told = tonumber(told)}
    if row.seen > now then row.seen = now; row.changed = true end
    if now - row.seen > forget_after then
      forgotten[#forgotten + 1] = field
      if row.told > 0 then empties = true end
    else rows[string.sub(field, 3)] = row; count = count + 1 end
  end
end
local me = rows[name]
local inherits = me and me.life ~= life
if inherits and now - me.seen <= silent_after then return {2, 0, silent_after, 0, now, 0, 0} end
if me and me.told > 0 and now - me.seen > silent_after then empties = true end
if inherits then me.told = 0 end
if not me and op ~= 'leave' and count >= %(members)d then return {3, 0, silent_after, 0, now, 0, 0} end

local lost, lost_until = number('lost', 0), number('lost_until', 0)
if now > lost_until then
  if lost > 0 then empties = true end
  lost = 0
end
local meters, born = {}, number('born', now)
for i = 16, #a, 2 do
  local m = {interval = a[i], tolerance = a[i + 1], field = 't' .. #meters}
  m.arrival = number(m.field, now + m.tolerance + grace)
  if m.arrival > now + m.tolerance + grace then m.arrival = now + m.tolerance end
  if empties or refused == 1 then m.arrival = math.max(m.arrival, now + m.tolerance) end
  if left >= 0 then m.arrival = math.max(m.arrival, now + m.tolerance - left * m.interval) end
  meters[#meters + 1] = m
end
if op == 'leave' then
  if me and me.life == life then
    for _, m in ipairs(meters) do put(m.field, m.arrival) end
    redis.call('HSET', key, unpack(set))
    redis.call('HDEL', key, 'm:' .. name)
    if h.holder == name then redis.call('HDEL', key, 'holder') end
  end
  return {0, 0, 0, 0, now, 0, 0}
end

local others, silent, before = 0, 0, 0
for other, row in pairs(rows) do
  if other ~= name then
    others = others + row.told
    if now - row.seen > silent_after then silent = silent + row.told end
  end
end
if not me then
  me = {joined = number('joined', 0) + 1, told = 0}
  put('joined', me.joined)
  count = count + 1
  if holds > 0 then
    if not h.lost_until then lost = math.max(0, SHARES - others - holds); lost_until = now + forget_after
    else lost = math.max(0, lost - holds) end
  end
end
for other, row in pairs(rows) do
  if other ~= name and row.joined < me.joined then before = before + 1 end
end
local entitled = math.min(count, parts)
local free, share = SHARES - others - lost, 0
if before < entitled and not (holds == 0 and now - born < grace) then
  local target = math.floor(SHARES / entitled)
  if target > free then target = math.min(holds, target) end
  if target <= free then share = target end
end
local live = math.max(0, SHARES - silent - lost)

local slow, slow_at = number('slow', SHARES), math.min(number('slow_at', 0), now)
local not_before = number('not_before', 0)
local factor = math.min(SHARES, slow + math.floor(math.min(now - slow_at, RECOVERY) * SHARES / RECOVERY))
if refused == 1 then
  if slow == SHARES or now - slow_at >= INCIDENT then
    factor = math.max(SLOWEST, math.floor(factor / 2))
    slow, slow_at = factor, now
  end
  not_before = math.max(not_before, now + retry_after)
end
not_before = math.min(not_before, now + %(longest)d)

local holder, open_until = h.holder, number('open_until', 0)
if serial > 0 then
  open_until = math.min(open_until, now + late + serial)
  if holder == name and calling == 0 then holder = nil; open_until = 0 end
  if (empties or inherits) and calling == 0 then open_until = math.max(open_until, now + late + serial) end
end

local granted, wait = wanted, math.max(0, not_before - now)
if serial > 0 then
  granted = math.min(granted, 1)
  wait = math.max(wait, open_until - now)
end
if wait > 0 then granted = 0 end
for _, m in ipairs(meters) do
  local interval, tolerance = live > 0 and up(m.interval * SHARES, live) or m.tolerance + 1, m.tolerance
  if interval > tolerance then granted = 0; wait = math.max(wait, silent_after); interval = m.interval end
  local spare = tolerance - interval
  if late <= spare then tolerance = tolerance - late
  else interval = interval + late - spare; tolerance = interval end
  interval = up(interval * SHARES, factor)
  tolerance = math.max(tolerance, interval)
  m.start = math.max(m.arrival, now)
  m.cost, m.spare = interval, tolerance
  granted = math.max(0, math.min(granted, math.floor((now + tolerance - m.start) / interval)))
end
if granted < least then granted = 0 end
local more = granted > 0 and 1 or math.max(1, least)
for _, m in ipairs(meters) do
  local arrival = m.start + granted * m.cost
  wait = math.max(wait, arrival + more * m.cost - m.spare - now)
  put(m.field, granted > 0 and arrival or m.arrival)
end
if granted > 0 and serial > 0 then holder = name; open_until = now + late + serial end
set[#set + 1] = 'run'; set[#set + 1] = run
put('born', born); put('lost', lost)
if lost_until > 0 then put('lost_until', lost_until) end
put('slow', slow); put('slow_at', slow_at); put('not_before', not_before); put('open_until', open_until)
for other, row in pairs(rows) do
  if row.changed and other ~= name then
    set[#set + 1] = 'm:' .. other
    set[#set + 1] = string.format('%%s|%%.0f|%%.0f|%%.0f', row.life, row.joined, row.seen, row.told)
  end
end
set[#set + 1] = 'm:' .. name
set[#set + 1] = string.format('%%s|%%.0f|%%.0f|%%.0f', life, me.joined, now, math.max(holds, share))
if #forgotten > 0 then redis.call('HDEL', key, unpack(forgotten)) end
if holder then set[#set + 1] = 'holder'; set[#set + 1] = holder
elseif h.holder then redis.call('HDEL', key, 'holder') end
redis.call('HSET', key, unpack(set))
redis.call('PEXPIRE', key, up(2 * forget_after, 1000))
return {0, granted, wait, share, now, live, factor}
"""


class Script(NamedTuple):
    """A script and the name by which the server knows it."""

    text: str
    sha: str


def script(clock: str = CLOCK) -> Script:
    """The script; ``clock`` is the Lua expression of seconds and microseconds, which tests set themselves."""
    text = _SCRIPT % {
        "clock": clock,
        "shares": SHARES,
        "slowest": SLOWEST,
        "recovery": RECOVERY,
        "incident": ONE_INCIDENT,
        "longest": LONGEST_INTERVAL,
        "members": MAX_MEMBERS,
    }
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
