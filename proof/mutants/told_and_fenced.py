"""The deliberate bugs of what is told, of what is not due yet, and of what fences."""

from __future__ import annotations

from proof.mutants.mutant import Edit, Mutant

TOLD_AND_FENCED = (
    Mutant(
        name="give_back_of_any_epoch",
        what="a match is given back although it has been offered again since",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old=" or held[2] ~= epoch or not deadline then\n",
                new=" or not deadline then\n",
            ),
        ),
    ),
    Mutant(
        name="give_back_too_soon",
        what="a match is given back before its offer or lease is over",
        edits=(
            Edit(
                file="store/lua/give_back.lua",
                old="if when == 'due' and now < tonumber(deadline) then"
                " return {'gone', 0, {}} end\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="redelivery_too_soon",
        what="a match is offered again before its offer is over",
        edits=(
            Edit(
                file="store/lua/redeliver.lua",
                old=" or now < tonumber(deadline) then\n",
                new=" then\n",
            ),
        ),
    ),
    Mutant(
        name="expired_to_the_wrong_pod",
        what="Expired is told to the pod of another player",
        edits=(
            Edit(
                file="queue/departures.py",
                old="plain(each.pod_id, each.player_id, answers.EXPIRED",
                new="plain(tickets[-1].members[0].pod_id, each.player_id, answers.EXPIRED",
            ),
        ),
    ),
    Mutant(
        name="places_go_back",
        what="who comes later may stand before who came earlier",
        edits=(
            Edit(
                file="store/lua/enqueue.lua",
                old="  place_us = place_us + 1\n",
                new="  place_us = place_us - 1\n",
            ),
        ),
    ),
    Mutant(
        name="match_found_untold",
        what="a match is started and its players are not told",
        edits=(
            Edit(
                file="store/lua/lib/started.lua",
                old="    tell_found(each[3], cjson.encode(m.claimed_by), each[4], each[5])\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="stream_errors_swallowed",
        what="requests of a stream that failed for an outage are left behind",
        edits=(
            Edit(
                file="queue/ingest.py",
                old="        if failure is not None:\n            raise failure\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="hearing_not_fenced",
        what="a server that lost the lease moves what it heard",
        edits=(
            Edit(
                file="store/lua/hear_move.lua",
                old="if held[1] ~= epoch then return {'lost'} end\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="numbers_not_bounded",
        what="a lease or an offer may last for ever",
        edits=(
            Edit(
                file="store/lua/lib/number_in.lua",
                old="  if number and number >= least and number <= most then return number end"
                " -- NaN is neither\n",
                new="  return number\n",
            ),
        ),
    ),
    Mutant(
        name="status_of_an_old_match",
        what="a player who was queued anew is told of the match before",
        edits=(
            Edit(
                file="store/lua/status.lua",
                old=" or math.floor((queued_at[i] or 0) * 1000000 + 0.5) > tonumber(place) then",
                new=" then",
            ),
            Edit(
                file="store/lua/status.lua",
                old="  return party or standing(ids[i]) or told_last(i, channel)\n",
                new="  local last = told_last(i, channel)\n"
                "  if last.state == 'started' then return last end\n"
                "  return party or standing(ids[i]) or last\n",
            ),
        ),
    ),
    Mutant(
        name="news_of_before_the_wish",
        what="of a player who was queued since, and whose ticket is gone, an old match is told",
        edits=(
            Edit(
                file="store/lua/status.lua",
                old=" or math.floor((queued_at[i] or 0) * 1000000 + 0.5) > tonumber(place) then",
                new=" then",
            ),
        ),
    ),
    Mutant(
        name="start_leaves_no_news",
        what="of a player whose match has started nothing is known",
        edits=(
            Edit(
                file="store/lua/lib/started.lua",
                old="  keep_begun(mode)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="secret_to_whoever_asks",
        what="another pod is told the secret of a player",
        edits=(
            Edit(
                file="store/lua/lib/match_found.lua",
                old="notice[1] == channel and ",
                new="",
            ),
        ),
    ),
)
