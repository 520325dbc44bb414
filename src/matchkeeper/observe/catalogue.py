"""The catalogue of events, from which `docs/operations.md` is made."""

from __future__ import annotations

from dataclasses import dataclass

from matchkeeper.observe.event_names import Event, Level


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the log, what it means, and what to do."""

    level: Level
    sentence: str
    meaning: str
    action: str


_D, _I, _W, _E, _C = Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL
_NOTHING = "Nothing."
_REDIS = "Run `matchkeeper doctor`; look at Redis and the network between."

CATALOGUE: dict[Event, Entry] = {
    Event.STARTED: Entry(
        _I, "Matchkeeper {version} serves {modes} on {redis}, HTTP on {http}",
        "The server is up.", _NOTHING,
    ),
    Event.EMBEDDED_STARTED: Entry(
        _I, "No redis.url is set: embedded Valkey on {redis}, data in {folder}",
        "The server brought its own Valkey, fit for development.",
        "In production, set `redis.url`.",
    ),
    Event.SUBSCRIBED: Entry(
        _I, "Listening on {channels}",
        "Requests by Pub/Sub are heard from now on; logged again after each reconnect.", _NOTHING,
    ),
    Event.HEARING: Entry(
        _I, "This server does what is heard on Pub/Sub (lease {epoch})",
        "Of several servers one does so; the others listen, too, and take over.", _NOTHING,
    ),
    Event.HEARING_LOST: Entry(
        _I, "This server no longer does what is heard on Pub/Sub (lease {epoch})",
        "It was frozen, slow or cut off for longer than a second, or gave the lease up; another "
        "server goes on where it stopped.",
        "Nothing, unless it happens often: then look at the CPU that this server gets.",
    ),
    Event.SHUTDOWN_STARTED: Entry(
        _I, "Stopping: no new rounds, no new requests, {seconds} s to end what runs",
        "SIGTERM, SIGINT or SIGHUP came.", _NOTHING,
    ),
    Event.SHUTDOWN_AT_ONCE: Entry(
        _W, "Stopping at once", "A second signal came. Nobody is lost by it.", _NOTHING
    ),
    Event.SHUTDOWN_CUT_OFF: Entry(
        _W, "Cut off at the deadline: {tasks}",
        "Something did not end in time. Nobody is lost by it.",
        "If it happens often, raise `server.shutdown_deadline_seconds`.",
    ),
    Event.SHUTDOWN_DONE: Entry(_I, "Stopped", "The server is down.", _NOTHING),
    Event.LOOP_INTERRUPTED: Entry(
        _W, "{loop} interrupted: {error}",
        "A part of the server lost Redis and starts again by itself.", _REDIS,
    ),
    Event.LOOP_FAILED: Entry(
        _E, "{loop} failed: {error}",
        "A defect. The part starts again by itself, nobody is lost.",
        "Report it with the traceback.",
    ),
    Event.REDIS_TIMEOUT: Entry(
        _W, "{operation} timeout after {seconds}s",
        "Redis did not answer in time. It is tried again where that is safe.", _REDIS,
    ),
    Event.REDIS_NETWORK_ERROR: Entry(
        _W, "{error}",
        "The connection to Redis failed (not a timeout). It is tried again where that is safe.",
        _REDIS,
    ),
    Event.REDIS_NOT_READY: Entry(
        _W, "{error}",
        "Redis answers but cannot work: loading, a replica, out of memory, busy.", _REDIS,
    ),
    Event.REDIS_FORBIDDEN: Entry(
        _E, "{error}",
        "The password is wrong, or the user lacks a right. Requests in streams wait. Once in "
        "`logging.repeat_interval_seconds`; `redis_usable` tells the end.",
        "Mend the password or the rights of the user (`matchkeeper doctor` names them).",
    ),
    Event.REDIS_REFUSED: Entry(
        _E, "{error}",
        "Redis refuses for good: a wrong type under a key.",
        "Mend the key that is named.",
    ),
    Event.REDIS_UNUSABLE: Entry(
        _E, "Redis answers, but does not do its work: {error}",
        "The server is not ready, and looks every second whether it can go on.",
        "A replica: point `redis.url` to the primary. A right: give it to the user. "
        "Else see `matchkeeper doctor`.",
    ),
    Event.REDIS_USABLE: Entry(
        _I, "Redis does its work again", "Matching goes on by itself.", _NOTHING
    ),
    Event.NOT_DURABLE: Entry(
        _W, "{error}",
        "A change was made but is not yet on disk or on enough replicas; nobody was told of it.",
        "Look at the disk and the replicas of Redis (`redis.durability`).",
    ),
    Event.REDIS_DOUBTFUL: Entry(
        _W, "Redis may lose what it was given: {check}: {found}. {mend}",
        "By its settings, or since it cannot write. Looked at at the start and every minute.",
        "Do what the line says; `matchkeeper doctor` says the same.",
    ),
    Event.REDIS_TRUSTED: Entry(
        _I, "Redis keeps what it is given again: {check}",
        "What `redis_doubtful` told is mended.", _NOTHING,
    ),
    Event.STATE_WENT_BACK: Entry(
        _E, "The data in Redis went back: look {found} at its clock comes after look {seen}",
        "Redis was emptied, has loaded an older data set, or is a replica that was behind until "
        "now. Players and matches since then may be gone; each look is a second of one server.",
        "Find out what happened to Redis. Players who ask again are served.",
    ),
    Event.CLOCK_STEPPED: Entry(
        _W, "The clock of Redis has stepped by {seconds} s; it is bridged",
        "No wait and no deadline ends early or late by it. What Redis forgets by itself after a "
        "time, it forgets early or late.",
        "Let NTP on the machine of Redis slew the clock, not step it.",
    ),
    Event.BREAKER_OPEN: Entry(
        _E,
        "Circuit breaker OPEN! {failures} consecutive failures. Blocking operations for {seconds}s",
        "Redis is out of reach. Nothing is sent for a while; players stay where they are.", _REDIS,
    ),
    Event.BREAKER_PROBE: Entry(
        _I, "Circuit breaker HALF-OPEN: trying one operation",
        "The pause is over; one operation finds out whether Redis is back.", _NOTHING,
    ),
    Event.BREAKER_CLOSED: Entry(
        _I, "Circuit breaker CLOSED (recovered after {failures} failures)",
        "Redis is back; matching goes on by itself.", _NOTHING,
    ),
    Event.BREAKER_FORCED: Entry(
        _W, "Circuit breaker forced open by an operator",
        "Nothing is sent to Redis until an operator releases it.",
        "`POST /api/v1/breaker/release` when Redis may be used again.",
    ),
    Event.CIRCUIT_OPEN_SKIP: Entry(
        _W, "Redis circuit open, skipping TryMatch",
        "A round was due, but Redis is out of reach.", _REDIS,
    ),
    Event.TICK_SKIPPED: Entry(
        _W, "TryMatch already running, skipping this tick",
        "A round takes longer than the tick interval: Redis is slow or the queue is long.",
        "Look at `round_duration_seconds` and `redis_operation_seconds`.",
    ),
    Event.ROUND_FAILED: Entry(
        _W, "TryMatch of {mode} failed: {error}",
        "The round ended early. What it committed stands; everybody else still waits.", _REDIS,
    ),
    Event.ROUND_BOUND_HIT: Entry(
        _I, "TryMatch of {mode} looked at its bound of tickets; the next round reads on",
        "The queue is longer than `matchmaking.max_tickets_per_round`.",
        "If waits grow, raise the bound or add game servers.",
    ),
    Event.MATCH_COMMITTED: Entry(
        _D, "Match {match_id} of {mode}: {players} ({subscribers} subscriber(s))",
        "A match was made and published.", _NOTHING,
    ),
    Event.PROPOSAL_STALE: Entry(
        _D, "Proposal in {mode} dropped: {player_id} is not there any more",
        "A player left, or another server was faster. The others still wait.", _NOTHING,
    ),
    Event.REENQUEUED: Entry(
        _I, "Re-enqueued {players} player(s) of {mode}: {cause}",
        "A match was wanted and not made; the players keep their place.",
        "`no_game_server`: see below. `publish_failed`: look at Redis.",
    ),
    Event.POISONED: Entry(
        _W, "Poisoned candidate {player_id}: {reason}",
        "A ticket cannot be read; it was set aside, everybody else was matched.",
        "`matchkeeper dead-letters list`; mend and requeue, or drop it.",
    ),
    Event.EXPIRED: Entry(
        _I, "Expired in {mode}: {players} player(s)",
        "They waited `max_wait_seconds` and were told `Expired`.",
        "Rising while matches stay flat: are there game servers, are the rules too strict?",
    ),
    Event.MATCH_CLAIMED: Entry(
        _D, "Match {match_id} of {mode} claimed by {pod_id}", "A game server took it.", _NOTHING
    ),
    Event.MATCH_STARTED: Entry(
        _D, "Match {match_id} of {mode} started by {pod_id}",
        "A game server confirmed the start; the players were told.", _NOTHING,
    ),
    Event.CLAIM_REFUSED: Entry(
        _W, "Refused {step} of match {match_id} by {pod_id}: {code}",
        "A game server came too late or with an old offer. It must not start this match.",
        "If it happens often, the game server is slow; see its log.",
    ),
    Event.MATCH_REDELIVERED: Entry(
        _I, "Match {match_id} of {mode} offered again (offer {offer}, {subscribers} subscriber(s))",
        "Nobody claimed it in time, or it was declined.", _NOTHING,
    ),
    Event.MATCHES_SET_ASIDE: Entry(
        _E,
        "Set aside {matches} pending match(es) of {mode} with {players} player(s), such as "
        "{match_id}: {reason}",
        "Somebody else has changed them in Redis, or put them there. Their players may ask again, "
        "and are dead letters; all others are matched.",
        "`matchkeeper dead-letters list`; requeue them with metadata. The hash `match:{mode}:<id>` "
        "is kept for a day.",
    ),
    Event.MATCH_GIVEN_BACK: Entry(
        _W, "Match {match_id} of {mode} given back: {players} player(s), {cause}",
        "It ended without a start; its players are in the queue again, at their old place.",
        "`unclaimed`, `lease_expired`: look at the game servers.",
    ),
    Event.MATCH_SETTLED: Entry(
        _W, "Match {match_id} of {mode} was confirmed by {pod_id}, which went silent: {outcome}",
        "Whether it started there nobody knows. `started`: its players were told that it did. "
        "Otherwise the start is not yet as durable as `redis.durability` asks; it is tried again.",
        "Look at that game server, and at the replicas or the disk of Redis.",
    ),
    Event.POD_UNCLAIMED: Entry(
        _W, "Matches with players of {pod_id} go unclaimed, {matches} in a row: tickets held",
        "Its players are matched with nobody for a while, so that the others are not kept up.",
        "Look at that game server.",
    ),
    Event.CLAIMS_REFUSED: Entry(
        _E,
        "Pod {pod_id} claimed {matches} matches of {mode} in a row and started none: "
        "its claims are refused",
        "The others get the matches. After a growing time one claim is let through, to find out.",
        "Look at that game server, or stop it; see the runbook `claims-refused.md`.",
    ),
    Event.CLAIMS_ALLOWED: Entry(
        _I, "Claims of pod {pod_id} in {mode} are no longer refused",
        "It has started a match, or has claimed none for long.", _NOTHING,
    ),
    Event.POD_SILENT: Entry(
        _W, "Pod {pod_id} sends no heartbeats any more: its tickets are held",
        "Its players are matched with nobody until it is back or they expire.",
        "Look at that game server.",
    ),
    Event.POD_BACK: Entry(_I, "Pod {pod_id} is back", "Its players are matched again.", _NOTHING),
    Event.GAME_SERVER_MISSING: Entry(
        _W, "No subscribers on {channel} channel ({attempts} attempt(s))",
        "A match was ready, but no game server listens. The players still wait.",
        "Start a game server.",
    ),
    Event.GAME_SERVER_UNAVAILABLE: Entry(
        _C,
        "CRITICAL: Game Server unavailable for {attempts} consecutive attempts! "
        "No subscribers on {channel} channel.",
        "Nobody can play. Repeated at an interval until a game server listens.",
        "Start game servers, or find out why they lost Redis.",
    ),
    Event.GAME_SERVER_RECOVERED: Entry(
        _I,
        "Game Server recovered! {subscribers} subscriber(s) available. "
        "(Was down for {attempts} attempts)",
        "Matching goes on by itself.", _NOTHING,
    ),
    Event.REQUEST_REFUSED: Entry(
        _W, "Request refused ({code}): {reason}",
        "A message could not be used. Logged once per code and interval.",
        "Look at the game server that sent it; the code is explained in the wire reference.",
    ),
    Event.DUPLICATE_REQUEST: Entry(
        _D, "{player_id} asked twice for {mode}",
        "The same request came twice and counted once.",
        "Many of them: two clients may share one identity.",
    ),
    Event.REQUEST_OVERTAKEN: Entry(
        _I, "A late {request} of {player_id} for {mode} does nothing",
        "It comes again or from a stopped server; what came for the player since holds.",
        "A few after a crash are normal. Many: servers hang; see requests_taken_over.",
    ),
    Event.REQUEST_EXPIRED: Entry(
        _W, "The {request} of {player_id} for {mode} is too old to be done",
        "A server died with it in hand, and none took it over while requests are remembered; or "
        "it repeats a request from before that. The pod is told `request_expired`.",
        "Was Redis away, or every server, or that game server, for longer than "
        "`retry.request_memory_seconds`?",
    ),
    Event.REQUESTS_FAILED: Entry(
        _W, "{count} request(s) not done: {error}",
        "Redis did not do its work. Requests in streams are tried again; others were told so.",
        _REDIS,
    ),
    Event.REQUESTS_TAKEN_OVER: Entry(
        _I, "Took over {count} request(s) of a server that is gone",
        "Another server died before it had done them.", _NOTHING,
    ),
    Event.REQUESTS_HANDED_ON: Entry(
        _I, "Handed {count} request(s) on to servers that know their mode",
        "Another server has a mode that this one has not, as in a rollout.", _NOTHING,
    ),
    Event.REQUEST_BURIED: Entry(
        _E, "Set aside the {request} request of {player_id} for {mode}: {error}",
        "It failed by itself again and again; it stands in the dead letters, all others are done.",
        "Mend what the error names, then `matchkeeper dead-letters requeue`.",
    ),
    Event.ANSWERS_LOST: Entry(
        _W, "{count} answer(s) not sent: {error}",
        "The requests were done, but the pods do not know. Players who ask again are told.", _REDIS,
    ),
    Event.BACKLOG_FULL: Entry(
        _E, "More requests on {channel} than can be handled; dropping beyond {limit}",
        "Requests by Pub/Sub are lost while this lasts.",
        "Use the streams, which wait; add a server; look at Redis.",
    ),
    Event.SETTINGS_DIFFER: Entry(
        _W, "Servers run different settings: {differences}",
        "As in a rollout. A mode that differs is matched by the servers with the newest settings "
        "alone.",
        "Nothing during a rollout; else give all servers the same settings.",
    ),
    Event.SETTINGS_AGREE: Entry(
        _I, "All servers run the same settings again", "The rollout is over.", _NOTHING,
    ),
    Event.MODE_HELD: Entry(
        _W, "{mode} is {states} by an operator",
        "Drained: new players are refused. Paused: nobody is matched.",
        "`matchkeeper queue resume` ends it.",
    ),
    Event.MODE_RESUMED: Entry(
        _I, "{mode} goes on as usual", "An operator resumed the mode.", _NOTHING,
    ),
    Event.ALERT_SENT: Entry(_I, "Alert {name} ({action}) sent to {channel}", "", _NOTHING),
    Event.ALERT_FAILED: Entry(
        _E, "Alert {name} ({action}) not sent to {channel}: {error}",
        "The people on call may not know.",
        "Check the channel with `matchkeeper doctor --send-test-alert`.",
    ),
    Event.ALERT_DROPPED: Entry(
        _E, "Alert {name} ({action}) dropped: too many wait to be sent",
        "The alert channels hang.", "Check them with `matchkeeper doctor --send-test-alert`.",
    ),
    Event.TRACES_LOST: Entry(
        _W, "Could not {step} the traces of {count} player(s): {error}",
        "Redis did not do what only traces need. Players are matched all the same; their traces "
        "break off.",
        "Look at Redis; if it says NOPERM, give the user the keys `trace:{{*}}:*`.",
    ),
    Event.SPANS_NOT_SENT: Entry(
        _W, "{count} span(s) not sent: {error}",
        "The collector of traces does not take them. Nothing else is touched.",
        "Look at the collector and at `tracing.endpoint`.",
    ),
    Event.FEW_DESCRIPTORS: Entry(
        _W, "Only {connections} HTTP connections: the process may open {limit} files",
        "The rest is kept for Redis, so that HTTP cannot starve matching.",
        "Raise the limit (`ulimit -n`, `LimitNOFILE=`), or lower `server.max_connections`.",
    ),
    Event.HTTP_CLOSED: Entry(
        _W, "Closed an HTTP connection: {why}",
        "`slow_request`: it did not send its request in time. `slow_reader`: it took nothing of "
        "the answer. `crowded`: it had asked for nothing, and others came. Logged once per reason "
        "and interval.",
        "Many: somebody holds connections on purpose, or a proxy keeps too many. Let only those in "
        "who must (`deploy/kubernetes/networkpolicy.yaml`).",
    ),
    Event.LOG_LINES_DROPPED: Entry(
        _W, "{count} log line(s) dropped",
        "The reader of the log was too slow, or its disk is full. The server does not wait for it.",
        "Look at what takes the log; log less (`logging.level`).",
    ),
}  # fmt: skip
