/*
 * A start that a failover cannot undo, for Spin: claim, confirm, be durable, settle.
 *
 * A few players who have asked once, and one match after the other of them. Redis is a primary and a
 * replica that is behind: it has what the primary had at some moment. A failover makes it the
 * primary. Each script is one `atomic` step on the primary. WAIT is answered once the replica has
 * what was written before on that connection, and no connection outlives a failover. Deadlines pass
 * whenever they like.
 *
 * A BUG_ switch breaks one rule: the verifier must find it.
 */
#ifndef MATCHES
#define MATCHES 3    /* of these players, one after the other */
#endif
#ifndef OFFERS
#define OFFERS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 2
#endif
#define PODS 2

#define QUEUED    0  /* the players wait; `id` is the last match that they were in */
#define OFFERED   1
#define CLAIMED   2
#define CONFIRMED 3
#define STARTED   4

typedef Redis {
  byte state, id, epoch, token;
  bit due
}
Redis primary, replica;
byte era;            /* failovers so far */
bit behind[PODS + 1];  /* the replica lacks what a pod, or a server, has written last */

/* ---- What is promised, read by no process ---- */
bit plays;           /* somebody has started a match of these players */
hidden byte g2_started_once, g2_who_plays_waits_not;

inline promised(promise, so) {
  promise = so; assert(promise); promise = 0
}

inline copied(to, source) {
  to.state = source.state; to.id = source.id; to.epoch = source.epoch;
  to.token = source.token; to.due = source.due
}

#define HIS(i) (primary.token == i + 1)
#ifdef BUG_GIVE_BACK_CONFIRMED
#define GIVES_BACK (primary.state != QUEUED && primary.state != STARTED)
#else
#define GIVES_BACK (primary.state == OFFERED || primary.state == CLAIMED)
#endif
#ifdef BUG_SERVER_SETTLES_AT_ONCE
#define SURE true
#else
#define SURE \
  (!behind[PODS] && asked == primary.id && epoch == primary.epoch && at == era)
#endif
#ifdef BUG_SETTLES_AT_ONCE
#define DURABLE true
#else
#define DURABLE (!behind[i])
#endif

inline gone() {
  claimed = 0; confirmed = 0; id = 0; epoch = 0; at = 0; behind[i] = 0
}

inline gives_up() {
  asked = 0; epoch = 0; at = 0; behind[PODS] = 0
}

inline begins() {
  promised(g2_started_once, !plays);
  plays = 1;
  gone()
}

/* Match servers: all that they do about a match. */
proctype Servers() {
  byte asked, epoch;  /* a confirm that is to be durable: of which match and epoch, ... */
  byte at;            /* ... and before which failover it was asked for */
end:
  do
  :: atomic {
       primary.state == QUEUED && primary.id < MATCHES ->
       primary.state = OFFERED; primary.id++; primary.epoch = 1; primary.token = 0; primary.due = 0
     }
  :: atomic {  /* redeliver.lua */
       primary.state == OFFERED && primary.due && primary.epoch < OFFERS ->
       primary.epoch++; primary.due = 0
     }
  :: atomic {  /* give_back.lua */
       GIVES_BACK && primary.due ->
       promised(g2_who_plays_waits_not, !plays);
       primary.state = QUEUED; primary.epoch = 0; primary.token = 0; primary.due = 0
     }
  :: atomic {  /* confirm.lua for a pod that has not settled in time */
       primary.state == CONFIRMED && primary.due && asked == 0 ->
       primary.due = 0;
       asked = primary.id; epoch = primary.epoch; at = era; behind[PODS] = 1
     }
  :: atomic {  /* settle.lua */
       primary.state == CONFIRMED && SURE ->
       primary.state = STARTED; primary.due = 0; gives_up()
     }
  :: atomic { asked != 0 -> gives_up() }  /* or a crash */
  od
}

/* A game server, with the offer that it has heard last. */
proctype Pod(byte i) {
  byte id, epoch;
  bit claimed, confirmed;  /* as it was told */
  byte at;                 /* its connection: before which failover it was made */
#define SAME (primary.id == id && primary.epoch == epoch)
end:
  do
  :: atomic {  /* claim.lua */
       !claimed && primary.state == OFFERED && !primary.due ->
       id = primary.id; epoch = primary.epoch; claimed = 1;
       primary.state = CLAIMED; primary.token = i + 1; primary.due = 0
     }
  :: atomic {  /* confirm.lua, also once more */
       claimed && SAME && HIS(i) ->
       if
       :: (primary.state == CLAIMED && !primary.due) || primary.state == CONFIRMED ->
            primary.state = CONFIRMED; primary.due = 0;
            confirmed = 1; at = era; behind[i] = 1
       :: primary.state == STARTED -> begins()
       :: else -> gone()
       fi
     }
  :: atomic { claimed && !(SAME && HIS(i)) -> gone() }  /* any call is refused */
  :: atomic {  /* settle.lua, once it is durable */
       confirmed && DURABLE && at == era && SAME && HIS(i) ->
       if
       :: primary.state == CONFIRMED -> primary.state = STARTED; primary.due = 0; begins()
       :: primary.state == STARTED -> begins()
       :: else -> gone()
       fi
     }
  :: atomic {  /* decline.lua: it takes too long */
       claimed && SAME && HIS(i) && (primary.state == CLAIMED || primary.state == CONFIRMED) ->
       primary.state = OFFERED; primary.token = 0; primary.due = 1; gone()
     }
  :: atomic { claimed -> gone() }  /* a crash */
  od
}

proctype World() {
end:
  do
  :: atomic {
       primary.state != QUEUED && primary.state != STARTED && !primary.due -> primary.due = 1
     }
  :: atomic {
       copied(replica, primary);
       behind[0] = 0; behind[1] = 0; behind[2] = 0
     }
  :: atomic {
       era < FAILOVERS ->
       era++;
       copied(primary, replica);
       behind[0] = 0; behind[1] = 0; behind[2] = 0
     }
  od
}

/* What must be reachable, so that the promises are not kept by doing nothing. */
#ifdef REACH_AFTER_FAILOVER
active proctype Goal() {
end:
  atomic { era == FAILOVERS && plays && primary.state == STARTED -> assert(false) }
}
#endif

init {
  atomic { run Servers(); run Pod(0); run Pod(1); run World() }
}
