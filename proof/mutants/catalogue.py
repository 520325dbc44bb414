"""The deliberate bugs, in the order of a player's way: in, matched, handed over, back, out."""

from __future__ import annotations

from proof.mutants.after_the_match import BACK_AND_OUT, HANDED_OVER
from proof.mutants.mutant import Edit, Mutant
from proof.mutants.parties import PARTIES
from proof.mutants.told_and_fenced import TOLD_AND_FENCED

_IN = (
    Mutant(
        name="told_before_written",
        what="EnQueued is told before the player is in Redis",
        edits=(
            Edit(
                file="queue/ingest.py",
                old="        try:\n            outcomes = await self._apply(mode, kind, heard)\n",
                new="        try:\n"
                "            if kind is RequestKind.ENQUEUE:\n"
                "                await self._notices._connection.publish(\n"
                "                    [each.answer for each in heard if each.answer]\n"
                "                )\n"
                "            outcomes = await self._apply(mode, kind, heard)\n",
            ),
        ),
    ),
    Mutant(
        name="requests_forgotten",
        what="a request that is sent again counts again",
        edits=(
            Edit(
                file="store/lua/lib/seen.lua",
                old="  if not known then return nil end\n",
                new="  if true then return nil end\n",
            ),
        ),
        model="BUG_ENQUEUE_FORGOTTEN",
    ),
    Mutant(
        name="late_requests_count",
        what="a request that comes late undoes what the player has asked for since",
        edits=(
            Edit(
                file="store/lua/lib/seen.lua",
                old="  if not player or entry == '' then return false end\n",
                new="  if true then return false end\n",
            ),
            Edit(
                file="store/lua/lib/seen.lua",
                old="  return player ~= nil and player.name ~= fingerprint_of(key)\n",
                new="  return false\n",
            ),
        ),
    ),
    Mutant(
        name="too_old_requests_count",
        what="a request is done although nobody remembers whether it was done before",
        edits=(
            Edit(
                file="store/lua/lib/seen.lua",
                old="  return given == nil or given[4] > 1 or given[3] > call.memory_ms\n",
                new="  return false\n",
            ),
        ),
    ),
    Mutant(
        name="late_repetitions_count",
        what="a repetition is done although nobody remembers what came of the first",
        edits=(
            Edit(
                file="store/lua/lib/seen.lua",
                old="  if call.repeats[i] then return true end\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="enqueue_while_pending",
        what="a player in a pending match may be queued again",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="  if pending[player] then",
                new="  if false then",
            ),
        ),
        model="BUG_ENQUEUE_WHILE_PENDING",
    ),
    Mutant(
        name="queued_after_the_match",
        what="a request repeated after its match is answered as at first",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="(code == 'queued' or code == 'again') and not waiting",
                new="false and not waiting",
            ),
        ),
    ),
    Mutant(
        name="no_answer_while_pending",
        what="a request repeated while its match is pending is answered as if it were over",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="not waiting[id] and not pending[id]\n",
                new="not waiting[id]\n",
            ),
        ),
    ),
    Mutant(
        name="durability_not_awaited",
        what="EnQueued is told before disk or replicas have it, whatever was asked",
        edits=(
            Edit(
                file="store/connection.py",
                old="call.script.reads, self.wanted(durable=durable)\n",
                new="call.script.reads, Durability()\n",
            ),
        ),
    ),
)

_MATCHED = (
    Mutant(
        name="queue_is_popped",
        what="a round takes the players out when it reads them, and puts back who is left over",
        edits=(
            Edit(
                file="store/lua/scan.lua",
                old="#!lua flags=no-writes\n",
                new="#!lua\n",
            ),
            Edit(
                file="store/lua/scan.lua",
                old="return {string.format",
                new="local here = redis.call('ZRANGE', queue, first, first + count - 1,"
                " 'WITHSCORES')\n"
                "for i = 1, count > 1 and #here or 0, 2 do"
                " redis.call('ZREM', queue, here[i]) end\nreturn {string.format",
            ),
            Edit(
                file="store/lua/scan.lua",
                old="  redis.call('ZRANGE', queue, first, first + count - 1, 'WITHSCORES')}",
                new="  here}",
            ),
            Edit(
                file="store/pages.py",
                old="        if score is not None and float(score) == since\n",
                new="",
            ),
            Edit(
                file="store/lua/commit.lua",
                old="  local stale = stale_player(first, last)\n",
                new="  local stale = nil\n",
            ),
            Edit(
                file="queue/round.py",
                old="        self.view.unmatched(pairing.unmatched)\n",
                new="        self.view.unmatched(pairing.unmatched)\n"
                "        paired = {t.ticket_id for p in pairing.proposals for t in p.tickets}\n"
                "        back = {\n"
                "            t.ticket_id: t.enqueued_at\n"
                "            for t in waiting\n"
                "            if t.ticket_id not in paired\n"
                "        }\n"
                "        name = f'queue:{{{self.mode.queue.mode}}}'\n"
                "        if back:\n"
                "            await self._offers._matches._connection.run(\n"
                "                'push back', lambda redis: redis.zadd(name, back)\n"
                "            )\n",
            ),
        ),
        model="BUG_POP",
    ),
    Mutant(
        name="commit_without_check",
        what="a commit does not look whether its players still wait",
        edits=(
            Edit(
                file="store/lua/commit.lua",
                old="  local stale = stale_player(first, last)\n",
                new="  local stale = nil\n",
            ),
        ),
        model="BUG_COMMIT_NO_CHECK",
    ),
    Mutant(
        name="commit_forgets_pending",
        what="a commit takes its players out and does not list the match as pending",
        edits=(
            Edit(
                file="store/lua/commit.lua",
                old="  tell_all('ZADD', pending, deadlines)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="commit_not_repeatable",
        what="a commit that is sent again does not know its own match",
        edits=(
            Edit(
                file="store/lua/commit.lua",
                old="  local known = is_repeated and redis.pcall('HGET', key, 'subscribers')\n",
                new="  local known = nil\n",
            ),
        ),
        model="BUG_COMMIT_FORGOTTEN",
    ),
    Mutant(
        name="new_match_id_on_retry",
        what="a commit whose reply was lost is sent again under another match id",
        edits=(
            Edit(
                file="store/matches.py",
                old="        reply = await self._connection.script(call, durable=True)\n",
                new="        marks = iter('0ABCDEFGH')\n"
                "\n"
                "        async def attempt(redis: Redis) -> Any:\n"
                "            mark, words = next(marks), list(call.command)\n"
                "            for match in matches if mark != '0' else ():\n"
                "                old, new = match.match_id, match.match_id[:-1] + mark\n"
                "                words = [\n"
                "                    each.replace(old.encode(), new.encode())\n"
                "                    if isinstance(each, bytes)\n"
                "                    else each\n"
                "                    for each in words\n"
                "                ]\n"
                "            return await redis.execute_command(*words)\n"
                "\n"
                "        reply = await self._connection.run('commit', attempt)\n"
                "        reply = call.script.reads(reply)\n",
            ),
        ),
        model="BUG_NEW_ID_ON_RETRY",
    ),
)

MUTANTS = (*_IN, *_MATCHED, *HANDED_OVER, *BACK_AND_OUT, *TOLD_AND_FENCED, *PARTIES)
CONTROL = Mutant(name="none", what="no bug: nothing may be found", edits=())
