"""The deliberate bugs, in the order of a player's way: in, matched, handed over, back, out."""

from __future__ import annotations

from proof.mutants.mutant import Edit, Mutant

_IN = (
    Mutant(
        name="told_before_written",
        what="EnQueued is told before the player is in Redis",
        edits=(
            Edit(
                file="loops/ingest.py",
                old="        for kind, heard in _runs(batch):\n",
                new="        for kind, heard in _runs(batch):\n"
                "            if kind is RequestKind.ENQUEUE:\n"
                "                await self._connection.publish(\n"
                "                    [each.answer for each in heard if each.answer]\n"
                "                )\n",
            ),
        ),
    ),
    Mutant(
        name="requests_forgotten",
        what="a request that is sent again counts again",
        edits=(
            Edit(
                file="store/lua/lib/seen.lua",
                old="  if not packed then return nil end\n",
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
                old="  local latest_ms, latest_number = latest_request(key)\n",
                new="  local latest_ms, latest_number = nil, nil\n",
            ),
            Edit(
                file="store/lua/lib/seen.lua",
                old="  return latest ~= nil and latest ~= seen_key\n",
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
        name="enqueue_while_pending",
        what="a player in a pending match may be queued again",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="  if pending[request.player] then",
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
                old="is_over = was_queued and not waits and not pending[request.player]\n",
                new="is_over = false\n",
            ),
        ),
    ),
    Mutant(
        name="no_answer_while_pending",
        what="a request repeated while its match is pending is answered no more",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="not waits and not pending[request.player]\n",
                new="not waits\n",
            ),
        ),
    ),
    Mutant(
        name="durability_not_awaited",
        what="EnQueued is told before disk or replicas have it, whatever was asked",
        edits=(
            Edit(
                file="store/connection.py",
                old="        command = self.options.durability.command if durable else None\n",
                new="        command = None\n",
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
                new="local here = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1,"
                " 'WITHSCORES')\n"
                "for i = 1, tonumber(ARGV[2]) > 1 and #here or 0, 2 do"
                " redis.call('ZREM', KEYS[1], here[i]) end\nreturn {string.format",
            ),
            Edit(
                file="store/lua/scan.lua",
                old="  redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')}",  # noqa: E501
                new="  here}",
            ),
            Edit(
                file="store/pages.py",
                old="        if score is not None and float(score) == since\n",
                new="",
            ),
            Edit(
                file="store/lua/commit.lua",
                old="  local stale = stale_player(proposal)\n",
                new="  local stale = nil\n",
            ),
            Edit(
                file="loops/round.py",
                old="        pairing = await self._pair(free, view.now)\n",
                new="        pairing = await self._pair(free, view.now)\n"
                "        paired = {t.player_id for p in pairing.proposals for t in p.tickets}\n"
                "        back = {\n"
                "            t.player_id: t.enqueued_at\n"
                "            for t in waiting\n"
                "            if t.player_id not in paired\n"
                "        }\n"
                "        if back:\n"
                "            await self._matches._connection.run(\n"
                "                'push back',\n"
                "                lambda redis: redis.zadd(f'queue:{{{self.mode.tag}}}', back),\n"
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
                old="  local stale = stale_player(proposal)\n",
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
                old="  redis.call('ZADD', pending, "
                "string.format('%.6f', now + call.offer_seconds), proposal.match_id)\n",
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
                old="  local known = redis.call('HGET', key, 'subscribers')\n",
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
                old="        reply = await self._connection.script("
                "Script.COMMIT, names, args, durable=True)\n",
                new="        marks = iter('0ABCDEFGH')\n"
                "\n"
                "        async def attempt(redis: Redis) -> Any:\n"
                "            mark, texts, called = next(marks), list(args), list(names)\n"
                "            for match in matches if mark != '0' else ():\n"
                "                old, new = match.match_id, match.match_id[:-1] + mark\n"
                "                texts = [t.replace(old.encode(), new.encode()) for t in texts]\n"
                "                called = [\n"
                "                    each.replace(old, new) if isinstance(each, str) else each\n"
                "                    for each in called\n"
                "                ]\n"
                "            return await scripts.call(redis, Script.COMMIT, called, texts)\n"
                "\n"
                "        reply = await self._connection.run('commit', attempt)\n",
            ),
            Edit(
                file="store/matches.py",
                old="from matchkeeper.store import keys\n",
                new="from matchkeeper.store import keys, scripts\n",
            ),
        ),
        model="BUG_NEW_ID_ON_RETRY",
    ),
)

_HANDED_OVER = (
    Mutant(
        name="claimed_twice",
        what="a match that was claimed may be claimed by another game server",
        edits=(
            Edit(
                file="store/lua/claim.lua",
                old="    if token ~= ARGV[4] then return 'already_claimed' end\n",
                new="    redis.call('HSET', KEYS[1], 'claimed_by', ARGV[3], 'token', ARGV[4])\n",
            ),
            Edit(
                file="store/lua/claim.lua",
                old="    redis.call('HSET', KEYS[1], 'token', token) "
                "-- a write, for WAITAOF and WAIT behind it\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="claim_not_atomic",
        what="the client looks whether a match is free, and takes it in a second step",
        edits=(
            Edit(
                file="store/matches.py",
                old='        """A game server takes an offered match for `lease`."""\n',
                new='        """A game server takes an offered match for `lease`."""\n'
                "        name = keys.match(tag, match_id)\n"
                "\n"
                "        async def look(redis: Redis) -> Any:\n"
                "            return await redis.hmget(name, ['state', 'epoch'])\n"
                "\n"
                "        async def take(redis: Redis) -> None:\n"
                "            fields = {'state': 'claimed', 'claimed_by': pod_id, 'token': token}\n"
                "            await redis.hset(name, mapping=fields)\n"
                "\n"
                "        found = await self._connection.run('claim', look)\n"
                "        if found == [b'offered', str(epoch).encode()]:\n"
                "            await self._connection.run('claim', take)\n"
                "            return HandoffReply.CLAIMED\n",
            ),
        ),
        model="BUG_CLAIM_NOT_ATOMIC",
    ),
    Mutant(
        name="late_claim",
        what="a match that was given back may still be claimed",
        edits=(
            Edit(
                file="store/lua/claim.lua",
                old="  if state ~= 'offered' or not deadline or now > tonumber(deadline) "
                "then return 'too_late' end\n",
                new="",
            ),
        ),
        model="BUG_LATE_CLAIM",
    ),
    Mutant(
        name="old_epoch_counts",
        what="an earlier hand-out of a match may be claimed and confirmed",
        edits=(
            Edit(
                file="store/lua/claim.lua",
                old="  if epoch ~= ARGV[2] then return 'old_epoch' end\n",
                new="",
            ),
            Edit(
                file="store/lua/confirm.lua",
                old="  if epoch ~= ARGV[2] then return 'old_epoch' end\n",
                new="",
            ),
        ),
        model="BUG_OLD_EPOCH",
    ),
    Mutant(
        name="epoch_stays",
        what="a match that is offered again keeps its epoch",
        edits=(
            Edit(
                file="store/lua/redeliver.lua",
                old="redis.call('HINCRBY', KEYS[2], 'epoch', 1)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="confirm_without_claim",
        what="any game server may start a match that another has claimed",
        edits=(
            Edit(
                file="store/lua/confirm.lua",
                old="  if token ~= ARGV[3] then return 'not_claimed' end\n",
                new="",
            ),
        ),
        model="BUG_CONFIRM_NO_TOKEN",
    ),
    Mutant(
        name="confirm_leaves_index",
        what="players of a started match are still taken for players of a pending one",
        edits=(
            Edit(
                file="store/lua/confirm.lua",
                old="redis.call('HDEL', KEYS[3], unpack(ids))\n",
                new="",
            ),
        ),
    ),
)

_BACK_AND_OUT = (
    Mutant(
        name="lease_never_ends",
        what="a match that was claimed and never confirmed is only offered again",
        edits=(
            Edit(
                file="handoff/decide.py",
                old="        return Step.GIVE_BACK, Cause.LEASE_EXPIRED\n",
                new="        return Step.REDELIVER, Cause.LEASE_EXPIRED\n",
            ),
        ),
    ),
    Mutant(
        name="back_with_a_new_time",
        what="players who go back to the queue get a new enqueue time",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old="id, ticket[2], ticket[3])",
                new="id, string.format('%.6f', unix_seconds()), ticket[3])",
            ),
        ),
        model="BUG_NEW_PLACE",
    ),
    Mutant(
        name="leaving_forgotten",
        what="who asked to leave a pending match is put back into the queue",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old="  if asked_to_leave(marks[id], ARGV[2], tag) then\n",
                new="  if false then\n",
            ),
        ),
        model="BUG_DEQUEUE_IGNORED",
    ),
    Mutant(
        name="metadata_left_behind",
        what="a player who leaves leaves the metadata there",
        edits=(
            Edit(
                file="store/lua/dequeue.lua",
                old="    redis.call('HDEL', metadata, request.player)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="expiry_without_check",
        what="a player is told Expired who has been matched since the queue was read",
        edits=(
            Edit(
                file="store/lua/expire.lua",
                old="  if score == tonumber(ticket.score) and score <= latest then\n",
                new="  if true then\n",
            ),
        ),
    ),
    Mutant(
        name="breaker_never_closes",
        what="an open circuit breaker lets no probe through",
        edits=(
            Edit(
                file="resilience/circuit.py",
                old="        until=now + cooldown * (1 + rules.jitter * chance),\n",
                new="        until=now + 1e9,\n",
            ),
        ),
    ),
)

MUTANTS = (*_IN, *_MATCHED, *_HANDED_OVER, *_BACK_AND_OUT)
CONTROL = Mutant(name="none", what="no bug: nothing may be found", edits=())
