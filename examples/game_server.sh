#!/usr/bin/env bash
# A game server with nothing but redis-cli: it enqueues two players into a mode with claim handoff,
# hears the battle request, claims the match and confirms the start, all by messages.
#
#   matchkeeper serve --config config/development.toml      (its mode Squad, or any claim mode)
#   MODE=Squad examples/game_server.sh redis://localhost:6379
set -euo pipefail
url=${1:-redis://localhost:6379}
mode=${MODE:-Squad}
cli=${REDIS_CLI:-redis-cli}
redis() { "$cli" -u "$url" "$@"; }

# 1. Listen for battle requests and answers, before anybody can be matched.
heard=$(mktemp)
"$cli" -u "$url" subscribe battle:request pod:my-pod:match_result >"$heard" &
listener=$!
trap 'kill $listener 2>/dev/null; rm -f "$heard"' EXIT
until (($(grep -c '^subscribe' "$heard") >= 2)); do sleep 0.05; done

# 2. Ask for players: into the stream, which keeps requests until they are done. Servers make it.
for player in alice bob; do
    redis xadd match:requests NOMKSTREAM '*' kind enqueue body \
        "{\"player_id\":\"$player\",\"game_mode\":\"$mode\",\"metadata\":{},\"pod_id\":\"my-pod\"}" >/dev/null
done

# 3. Wait for the offer, and read what is needed to claim it.
until grep -q '^{"match_id".*"handoff"' "$heard"; do sleep 0.05; done
offer=$(grep -m1 '^{"match_id".*"handoff"' "$heard")
match=$(sed -E 's/.*"match_id":"([^"]+)".*/\1/' <<<"$offer")
epoch=$(sed -E 's/.*"epoch":([0-9]+).*/\1/' <<<"$offer")
echo "offered: $offer"

# 4. Say something of the match, and hear what comes of it. Each message has a token of its own; one
#    that is not answered may be sent again as it is.
say() {
    local token=$1-$RANDOM$RANDOM$RANDOM
    redis xadd match:requests NOMKSTREAM '*' kind handoff body \
        "{\"kind\":\"$1\",\"pod_id\":\"my-pod\",\"game_mode\":\"$mode\",\"match_id\":\"$match\",\"epoch\":$epoch,\"token\":\"$token\"}" >/dev/null
    until grep -q "\"$token\"" "$heard"; do sleep 0.05; done
    grep -m1 "\"$token\"" "$heard" | sed -E 's/.*"reply":"([^"]+)".*/\1/'
}
echo "claim: $(say claim)"

# 5. Load the map …, then confirm. "started" is the last word: all else means not to start.
echo "confirm: $(say confirm)"
