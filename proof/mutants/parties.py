"""The deliberate bugs of parties."""

from __future__ import annotations

from proof.mutants.mutant import Edit, Mutant

PARTIES = (
    Mutant(
        name="party_left_behind_in_the_index",
        what="when a party leaves, one of its players stays in the index",
        edits=(
            Edit(
                file="store/lua/dequeue.lua",
                old="leave_parties(parties, together)\n",
                new="local most = {}\n"
                "for i, each in ipairs(together) do most[i] = {each[1], {unpack(each[2], 2)}} end\n"
                "leave_parties(parties, most)\n",
            ),
        ),
    ),
    Mutant(
        name="party_entered_in_part",
        what="the last player of a party is not in the index, and can be queued elsewhere",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="    entered[#entered + 1], entered[#entered + 2] = player, own\n",
                new="    if k == 1 then table.insert(entered, player) end\n"
                "    if k == 1 then table.insert(entered, own) end\n",
            ),
        ),
    ),
    Mutant(
        name="party_split_over_two_teams",
        what="the players of a match sit one place further on than they were put",
        edits=(
            Edit(
                file="domain/match.py",
                old="        return seats\n    everybody = [seat",
                new="        seats = [[*seats[-1][-1:], *seats[0]], *seats[1:-1], seats[-1][:-1]]\n"
                "    everybody = [seat",
            ),
        ),
    ),
    Mutant(
        name="half_a_party_put_back",
        what="a party goes back into the queue without its first player",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old="  if text ~= '' then redis.call('HSET', hash, id, text) end\n",
                new="  if players_of[id] and #players_of[id] > 1 then\n"
                "    local fields = cjson.decode(text)\n"
                "    table.remove(fields.players, 1)\n"
                "    text = cjson.encode(fields)\n"
                "  end\n"
                "  if text ~= '' then redis.call('HSET', hash, id, text) end\n",
            ),
        ),
    ),
    Mutant(
        name="party_matched_in_part",
        what="a match has the first two players of a party, and no others of it",
        edits=(
            Edit(
                file="domain/match.py",
                old="in (ticket.party_id,)\n            for each in ticket.members\n",
                new="in (ticket.party_id,)\n            for each in ticket.members[:2]\n",
            ),
        ),
    ),
    Mutant(
        name="one_leaves_the_others_go_back",
        what="a party of which one left while its match was pending goes back into the queue",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old="    if asked_to_leave(marks[player], match_id, to) then return player end\n",
                new="",
            ),
        ),
        model="BUG_LEAVES_ALONE",
    ),
    Mutant(
        name="left_by_nobody",
        what="the others of a party are not told who left",
        edits=(
            Edit(
                file="handoff/notices.py",
                old="            left_by=None if each.player_id == left_by else left_by,\n",
                new="            left_by=None,\n",
            ),
        ),
    ),
)
