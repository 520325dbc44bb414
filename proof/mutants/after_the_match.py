"""The deliberate bugs behind the match: handed over, back, out."""

from __future__ import annotations

from proof.mutants.mutant import Edit, Mutant

HANDED_OVER = (
    Mutant(
        name="claimed_twice",
        what="a match that was claimed may be claimed by another game server",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="    if m.claimed_by ~= pod then return 'already_claimed' end\n"
                "    if m.token ~= token then return 'other_token' end\n",
                new="    redis.call('HSET', m.key, 'claimed_by', pod)\n    m.claimed_by = pod\n",
            ),
        ),
    ),
    Mutant(
        name="claim_not_atomic",
        what="the server grants a claim as soon as it has read that the match is free",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="  redis.call('HSET', m.key, 'state', 'claimed', "
                "'claimed_by', pod, 'token', token)\n",
                new="",
            ),
        ),
        model="BUG_CLAIM_NOT_ATOMIC",
    ),
    Mutant(
        name="late_claim",
        what="a match that was given back may still be claimed",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="  if m.state ~= 'offered' or not m.deadline or now > m.deadline "
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
                file="store/lua/handoff.lua",
                old="  if m.epoch ~= epoch then return m.epoch > epoch and 'old_epoch' "
                "or 'unknown_epoch' end\n",
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
                old="redis.call('HINCRBY', match, 'epoch', 1)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="confirm_without_claim",
        what="any game server may start a match that another has claimed",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="  if m.claimed_by ~= pods[i] then return 'already_claimed' end\n"
                "  if m.state ~= 'claimed' then\n    if m.confirm ~= token "
                "then return 'other_token' end\n",
                new="  if m.state ~= 'claimed' then\n",
            ),
        ),
        model="BUG_CONFIRM_NOT_CLAIMED",
    ),
    Mutant(
        name="refused_is_granted_later",
        what="a copy of a confirm that came before the claim starts the match behind it",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="  redis.call('HSET', m.key, 'said', m.said)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="answer_to_another_pod",
        what="an answer to a message about a match is told to the pod of the message before it",
        edits=(
            Edit(
                file="store/lua/lib/tell.lua",
                old="before .. call.pods[i] .. after",
                new="before .. call.pods[math.max(i - 1, 1)] .. after",
            ),
        ),
    ),
    Mutant(
        name="assignment_of_another_match",
        what="players are told the assignment of another match that starts at the same moment",
        edits=(
            Edit(
                file="store/lua/lib/started.lua",
                old="cjson.encode(m.claimed_by), each[4], each[5])\n",
                new="cjson.encode(m.claimed_by), begun[1][4], each[5])\n",
            ),
        ),
    ),
    Mutant(
        name="secret_of_another_player",
        what="all players of a match are told the same secret",
        edits=(
            Edit(
                file="store/lua/lib/found.lua",
                old="    local secret = secrets[notice[2]]\n",
                new="    local _, secret = next(secrets)\n",
            ),
        ),
    ),
    Mutant(
        name="start_undone_that_came_again",
        what="a server takes back a start that another one may have told of, before a failover",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="m.confirm == token and m.hand == call.hand then",
                new="m.confirm == token then",
            ),
        ),
        model="BUG_UNDOES_WHAT_CAME_AGAIN",
    ),
    Mutant(
        name="lease_without_bound",
        what="a claim holds as long as what stands in the match says, whatever that is",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="number_in(held[7], 0, HOUR) or 10",
                new="tonumber(held[7])",
            ),
        ),
    ),
    Mutant(
        name="numbers_without_bounds",
        what="a script takes every number that it is told",
        edits=(
            Edit(
                file="store/lua/lib/number_in.lua",
                old="  if number and number >= least and number <= most then return number end "
                "-- NaN is neither\n",
                new="  if number then return number end\n",
            ),
        ),
    ),
    Mutant(
        name="start_told_too_early",
        what="the players hear of a start before it is as durable as was asked",
        edits=(
            Edit(
                file="store/lua/handoff.lua",
                old="  if call.durable then\n",
                new="  if false then\n",
            ),
        ),
    ),
    Mutant(
        name="settled_without_waiting",
        what="a game server is told that it may start what a failover can undo",
        edits=(
            Edit(
                file="store/handoffs.py",
                old="            return Came(_replies(error.reply), durable=False)\n",
                new="            return Came(_replies(error.reply), durable=True)\n",
            ),
        ),
    ),
    Mutant(
        name="confirmed_given_back",
        what="players of a match that may have started go back to the queue",
        edits=(
            Edit(
                file="handoff/decide.py",
                old="        return Step.SETTLE, Cause.LEASE_EXPIRED\n",
                new="        return Step.GIVE_BACK, Cause.LEASE_EXPIRED\n",
            ),
            Edit(
                file="store/lua/give_back.lua",
                old="if (held[1] ~= 'offered' and held[1] ~= 'claimed') or",
                new="if held[1] == 'started' or",
            ),
        ),
    ),
    Mutant(
        name="confirm_leaves_index",
        what="players of a started match are still taken for players of a pending one",
        edits=(
            Edit(
                file="store/lua/lib/started.lua",
                old="  tell_all('HDEL', matched, players)\n",
                new="",
            ),
        ),
    ),
)

BACK_AND_OUT = (
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
                old="id, scores[i], texts[i])",
                new="id, string.format('%.6f', now), texts[i])",
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
                old=" or asked_to_leave(marks[id], match_id, to) then return '' end\n",
                new=" then return '' end\n",
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
                old="tell_all('HDEL', metadata, left)\n",
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
                old="  if since == tonumber(ARGV[score + i]) and since <= latest then\n",
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
