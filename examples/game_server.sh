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

# 4. Claim it for 10 seconds, under a token of our own.
token=$RANDOM$RANDOM$RANDOM
echo "claim: $(redis --eval "$scripts/claim.lua" "match:{$tag}:$match" "pending:{$tag}" \
    "history:{$tag}" "claimers:{$tag}" , "$match" "$epoch" my-pod "$token" 10)"

# 5. Load the map …, then confirm. Only who is told "started" may start.
echo "confirm: $(redis --eval "$scripts/confirm.lua" \
    "match:{$tag}:$match" "pending:{$tag}" "matched:{$tag}" "leaving:{$tag}" \
    "history:{$tag}" "claimers:{$tag}" , "$match" "$epoch" "$token" 120000 '"claimed_by":null' my-pod)"
