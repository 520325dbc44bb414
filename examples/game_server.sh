#!/usr/bin/env bash
# A game server with nothing but redis-cli: it enqueues two players into a mode with claim handoff,
# hears the battle request, claims the match and confirms the start.
#
#   matchkeeper serve --config config/development.toml      (its mode Squad, or any claim mode)
#   MODE=Squad examples/game_server.sh redis://localhost:6379
set -euo pipefail
url=${1:-redis://localhost:6379}
mode=${MODE:-Squad}
tag=${mode,,}
cli=${REDIS_CLI:-redis-cli}
scripts=$(dirname "$0")/../docs/scripts
redis() { "$cli" -u "$url" "$@"; }

# 1. Listen for battle requests, before anybody can be matched.
offers=$(mktemp)
"$cli" -u "$url" subscribe battle:request >"$offers" &
listener=$!
trap 'kill $listener 2>/dev/null; rm -f "$offers"' EXIT
until grep -q subscribe "$offers"; do sleep 0.05; done

# 2. Ask for players. Matchkeeper answers on pod:my-pod:match_result.
for player in alice bob; do
    redis publish match:enqueue:request \
        "{\"player_id\":\"$player\",\"game_mode\":\"$mode\",\"metadata\":{},\"pod_id\":\"my-pod\"}" >/dev/null
done

# 3. Wait for the offer, and read what is needed to claim it.
until grep -q match_id "$offers"; do sleep 0.05; done
offer=$(grep -m1 match_id "$offers")
match=$(sed -E 's/.*"match_id":"([^"]+)".*/\1/' <<<"$offer")
epoch=$(sed -E 's/.*"epoch":([0-9]+).*/\1/' <<<"$offer")
echo "offered: $offer"

# 4. Claim it, under a token of our own.
token=$RANDOM$RANDOM$RANDOM
echo "claim: $(redis --eval "$scripts/claim.lua" "match:{$tag}:$match" "pending:{$tag}" \
    "history:{$tag}" "claimers:{$tag}" clock , "$match" "$epoch" my-pod "$token")"

# 5. Load the map …, then confirm; behind it, on the same connection, what the offer's durability asks for.
#    "started" is the last word. "confirmed" becomes it when that is reached; else the match is declined.
durability=$(sed -nE 's/.*"durability":"([^"]+)".*/\1/p' <<<"$offer")
case ${durability:-none} in
fsync) wait="WAITAOF 1 0 3000" wanted=1 ;;
replicas:*) wait="WAIT ${durability#*:} 3000" wanted=${durability#*:} ;;
*) wait="PING" wanted=0 ;;
esac
keys=("match:{$tag}:$match" "pending:{$tag}" "matched:{$tag}" "leaving:{$tag}" "history:{$tag}" "claimers:{$tag}" clock)
args=("$match" "$epoch" my-pod "$token")
confirm=$(redis -x SCRIPT LOAD <"$scripts/confirm.lua")
{ read -r reply; read -r reached; } < <(redis <<<"EVALSHA $confirm ${#keys[@]} ${keys[*]} ${args[*]}
$wait")
echo "confirm: $reply"
if [[ $reply == confirmed ]] && ((reached >= wanted)); then
    echo "settle: $(redis --eval "$scripts/settle.lua" "${keys[@]}" , "${args[@]}")"
elif [[ $reply == confirmed ]]; then
    echo "decline: $(redis --eval "$scripts/decline.lua" "${keys[@]:0:2}" "${keys[4]}" clock , "${args[@]}")"
fi
