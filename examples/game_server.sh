#!/usr/bin/env bash
# A game server with nothing but redis-cli: it enqueues its players, takes matches and plays them.
#
# Run a server first (matchkeeper serve, with a mode that has handoff = "claim"), then this, and type what players
# want, one JSON object a line:
#
#   REDIS_URL=redis://localhost:6379 POD_ID=pod-a examples/game_server.sh
#   {"enqueue":{"player_id":"alice","game_mode":"Squad","metadata":{"mmr":1500}}}
#
# `matchkeeper conformance -- examples/game_server.sh` tries it on good and bad evenings.
set -u
url=${REDIS_URL:-redis://localhost:6379} pod=${POD_ID:-pod-a} cli=${REDIS_CLI:-redis-cli}
battle=${BATTLE_CHANNEL:-battle:request} result=${RESULT_CHANNEL:-pod:$pod:match_result}
stream=${REQUEST_STREAM:-match:requests}
declare -A open=() modes=() running=() # requests without an answer; match -> its mode; matches that run here
declare -A waiting=() told=()           # players who wait; player -> the match that was told last

# The value of a field in a line of JSON, where it stands first; empty: there is none.
field() {
    local rest=${2#*\"$1\":}
    [[ $rest != "$2" ]] && rest=${rest#\"} && printf '%s' "${rest%%[\",\}]*}"
}

# Asks, and again each second until it is answered. $1: what the answer is known by; $2: the kind; $3: the request.
ask() {
    open[$1]="$2 $3"
    "$cli" -u "$url" xadd "$stream" nomkstream '*' kind "$2" body "$3" >/dev/null 2>&1
}

# Says something of a match. The same message has the same token, however often it is sent.
hand() {
    local token=$1-$2-$3
    ask "$token" handoff "{\"kind\":\"$1\",\"pod_id\":\"$pod\",\"game_mode\":\"${modes[$2]}\",\"match_id\":\"$2\",\"epoch\":$3,\"token\":\"$token\"}"
}

offer() {
    local match epoch=${1##*\"epoch\":}
    match=$(field match_id "$1") epoch=${epoch%%[,\}]*}
    [[ $match && $epoch =~ ^[0-9]+$ && ! -v running[$match] ]] || return
    modes[$match]=$(field game_mode "$1")
    hand claim "$match" "$epoch"
}

answer() {
    local player news token match
    player=$(field player_id "$1") token=$(field token "$1") match=$(field match_id "$1")
    if [[ $token && -v open[$token] ]]; then
        unset "open[$token]"
        case "$(field kind "$1") $(field reply "$1")" in
        "claim claimed") hand confirm "$match" "$(field epoch "$1")" ;; # a real server loads the map first
        "confirm started")
            running[$match]=1
            echo "{\"started\":\"$match\"}"
            ;;
        esac
    fi
    [[ $player && ! ($1 == *'"Status"'* && ! -v waiting[$player]) ]] || return # else it is told already
    news=$(field code "$1")
    [[ $news ]] || news=$(grep -oE 'EnQueued|DeQueued|Expired|MatchFound' <<<"${1#*result_type}" | head -1)
    [[ $news && ! ($news == MatchFound && ${told[$player]-} == "$match") ]] || return
    case $news in
    EnQueued | already_in_queue | match_pending) waiting[$player]=1 ;;
    MatchFound) told[$player]=$match ;&
    *) unset "waiting[$player]" ;;
    esac
    unset "open[enqueue $player]" "open[dequeue $player]"
    echo "{\"told\":\"$player\",\"news\":\"$news\"}"
}

# Where the players are who wait: what became of them may have been told while nobody listened.
catch_up() {
    for player in "${!waiting[@]}"; do
        ask "status-$player" handoff "{\"kind\":\"status\",\"pod_id\":\"$pod\",\"player_id\":\"$player\",\"token\":\"status-$player\"}"
    done
}

# {"enqueue":{…}}: inside is the request, but for the pod_id.
wish() {
    local kind=${1#*\"} body=${1#*:}
    kind=${kind%%\"*} body=${body%\}} body=${body#*\{}
    [[ $kind == enqueue || $kind == dequeue ]] && ask "$kind $(field player_id "$1")" "$kind" "{\"pod_id\":\"$pod\",$body"
}

# Everything comes as lines through one pipe: what is heard, and, once both channels are heard, what players want.
folder=$(mktemp -d) && mkfifo "$folder/lines" && exec 3<>"$folder/lines" 4<&0
hear() {
    trap 'kill $!; exit' TERM
    while :; do
        echo listening anew >&3
        "$cli" -u "$url" subscribe "$battle" "$result" >&3 2>/dev/null &
        wait $!
        sleep 0.5
    done
}
wishes() {
    while read -r line; do echo "wish $line"; done
    echo "no more wishes"
}
hear &
trap 'kill $(jobs -p); rm -r "$folder"' EXIT
channel='' confirmed=0 times=0 asked=$SECONDS
while :; do
    if IFS= read -r -t 1 line <&3; then
        case $line in
        "wish "*) wish "${line#wish }" ;;
        "no more wishes") exit ;;
        "listening anew") confirmed=0 ;;
        subscribe) ((++confirmed == 2)) && if ((times++)); then catch_up; else wishes <&4 >&3 & fi ;;
        "{"*) if [[ $channel == "$battle" ]]; then offer "$line"; else answer "$line"; fi ;;
        esac
        channel=$line
    fi
    if ((SECONDS > asked)); then
        asked=$SECONDS
        for name in "${!open[@]}"; do ask "$name" "${open[$name]%% *}" "${open[$name]#* }"; done
    fi
done
