/*
 * Handoff by message, and a start that a failover cannot undo, for Spin: a pod's confirm is done by
 * any server, which waits until it is durable, settles it, and answers.
 *
 * A few players who have asked once, and one match after the other of them. A message that was sent
 * may be done at any time, any number of times, by any server, until its pod has sent two others.
 * Each answer may be lost. A claim is the pod's; a confirm has the token of its message, which one
 * process of the pod sends once for each offer.
 *
 * Redis is a primary and a replica that is behind: it has what the primary had at some moment. A
 * failover makes it the primary. Each script is one `atomic` step on the primary. WAIT is answered
 * once the replica has what was written before on that connection, and no connection outlives a
 * failover. Deadlines pass whenever they like, on both: what is overdue here is so there.
 *
 * A BUG_ switch breaks one rule: the verifier must find it.
 */
#ifndef MATCHES
#define MATCHES 2    /* of these players, one after the other */
#endif
#ifndef OFFERS
#define OFFERS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 2
#endif
#ifndef SERVERS
#define SERVERS 2
#endif
#ifndef LIVES
#define LIVES 1      /* processes of each pod, one after the other */
#endif
#define PODS 2

#define QUEUED    0  /* the players wait; `id` is the last match that they were in */
#define OFFERED   1
#define CLAIMED   2
#define CONFIRMED 3
#define STARTED   4

typedef Redis {
  byte state, id, epoch;
  byte claimer;  /* pod + 1 */
  byte confirm;  /* the token of the confirm that was granted */
  byte said;     /* the confirms of this offer that were refused and could come true, as bits */
  byte hand;     /* who has it in hand alone: the server that did it first; 0: it has come again */
  bit due
}
typedef Message {
  byte id, epoch;
  byte token     /* 0: there is none */
}
Redis primary, replica;
byte era;              /* failovers so far */
bit behind[SERVERS];   /* the replica lacks what a server has written last */
Message latest[PODS], before[PODS];  /* the confirms of each pod that may come */

/* ---- The pods ---- */
#define SILENT  0
#define WAITS   1      /* for what comes of the latest message */
/* Was told that it must not start. A replica may have the confirm and not what undid it; then a
 * match starts for nobody, and what was refused is granted later. */
#if FAILOVERS > 0
#define REFUSED SILENT
#else
#define REFUSED 2
#endif
byte mind[PODS];
byte lives[PODS];

/* ---- What is promised, read by no process ---- */
byte plays;            /* pod + 1 that has started a match of these players */
hidden byte g1_told_truly, g2_refused_for_good, g2_started_once, g2_who_plays_waits_not;

inline promised(promise, so) {
  promise = so; assert(promise); promise = 0
}

inline copied(to, source) {
  to.state = source.state; to.id = source.id; to.epoch = source.epoch; to.claimer = source.claimer;
  to.confirm = source.confirm; to.said = source.said; to.hand = source.hand;
  to.due = source.due
}

#define TOKEN(pod) (lives[pod] + 1)
#define BIT(pod, t) (1 << (2 * (pod) + (t) - 1))
#define IS(m, i, e, t) (m.token == t && m.id == i && m.epoch == e)
#define OFFER(i, e) (primary.id == i && primary.epoch == e)
#define GRANTED(pod, t) (primary.claimer == pod + 1 && primary.confirm == t)

/* What comes of a message is told to its pod, or the answer is lost. Only who waits for it hears. */
inline tells_start(who, its_id, its_epoch, its_token) {
  if
  :: mind[who] == WAITS && IS(latest[who], its_id, its_epoch, its_token) ->
       promised(g2_started_once, (plays == 0));
       plays = who + 1; mind[who] = SILENT
  :: true
  fi
}

inline refuses(who, its_id, its_epoch, its_token) {
  if
  :: mind[who] == WAITS && IS(latest[who], its_id, its_epoch, its_token) ->
       promised(g1_told_truly,
         !(primary.state == STARTED && OFFER(its_id, its_epoch) && GRANTED(who, its_token)));
       mind[who] = REFUSED
  :: true
  fi
}

inline starts() {
#if FAILOVERS == 0
  promised(g2_refused_for_good,
    !(mind[primary.claimer - 1] == REFUSED
      && IS(latest[primary.claimer - 1], primary.id, primary.epoch, primary.confirm)));
#endif
  primary.state = STARTED; primary.due = 0; primary.said = 0; primary.hand = 0
}

#ifdef BUG_REFUSAL_FORGOTTEN
#define WAS_REFUSED(pod, t) false
#else
#define WAS_REFUSED(pod, t) ((primary.said & BIT(pod, t)) != 0)
#endif
#ifdef BUG_TOKEN_IGNORED
#define SAME_MESSAGE(t) true
#else
#define SAME_MESSAGE(t) (primary.confirm == t)
#endif
#ifdef BUG_GIVE_BACK_CONFIRMED
#define GIVES_BACK (primary.state != QUEUED && primary.state != STARTED)
#else
#define GIVES_BACK (primary.state == OFFERED || primary.state == CLAIMED)
#endif
#ifdef BUG_SETTLES_AT_ONCE
#define DURABLE true
#else
#define DURABLE (!behind[s] && at == era)
#endif
#ifdef BUG_REAPER_SETTLES_AT_ONCE
#define SURE (DURABLE || !undoes)
#else
#define SURE DURABLE
#endif

#define HAND (1 + s + SERVERS * era)  /* each time that a server takes one in hand */

/* A confirm: handoff.lua. The server is to wait, and to settle it. */
inline confirms(m, p) {
  if
  :: !OFFER(m.id, m.epoch) || primary.state == QUEUED || primary.claimer != p + 1 ->
       if
       :: OFFER(m.id, m.epoch) && primary.state == OFFERED ->
            primary.said = primary.said | BIT(p, m.token)
       :: else
       fi;
       refuses(p, m.id, m.epoch, m.token)
  :: else ->
       if
       :: primary.state == CLAIMED && !primary.due && !WAS_REFUSED(p, m.token) ->
            primary.state = CONFIRMED; primary.confirm = m.token; primary.due = 0;
            primary.hand = HAND;
            takes(m, p)
       :: primary.state == CONFIRMED && SAME_MESSAGE(m.token) ->
            primary.hand = 0; primary.due = 0;
            takes(m, p)
       :: primary.state == STARTED && SAME_MESSAGE(m.token) ->
            tells_start(p, m.id, m.epoch, m.token)
       :: else -> refuses(p, m.id, m.epoch, m.token)
       fi
  fi
}

inline takes(m, p) {
  pod = p; id = m.id; epoch = m.epoch; token = m.token; at = era; behind[s] = 1; undoes = 1
}

inline lets_go() {
  pod = 0; id = 0; epoch = 0; token = 0; at = 0; behind[s] = 0; undoes = 0
}

inline declined() {
  primary.state = OFFERED; primary.claimer = 0; primary.confirm = 0; primary.hand = 0;
  primary.due = 1
}

#define HELD (OFFER(id, epoch) && GRANTED(pod, token))
#if defined(BUG_UNDOES_WHAT_CAME_AGAIN)
#define MINE_ALONE (HELD && primary.state == CONFIRMED)
#elif defined(BUG_HAND_NOT_KEPT)
#define MINE_ALONE (HELD && primary.state == CONFIRMED && primary.hand != 0)
#else
#define MINE_ALONE (HELD && primary.state == CONFIRMED && primary.hand == 1 + s + SERVERS * at)
#endif

/* A server, with the confirm that it has in hand. Where it is not durable in time,
 * it takes it back: only who has it in hand alone, since another one may have started it, also
 * before a failover. The reaper takes nothing back. */
proctype Server(byte s) {
  byte pod, id, epoch, token, at;
  bit undoes;
end:
  do
  :: atomic { token == 0 && latest[0].token != 0 -> confirms(latest[0], 0) }
  :: atomic { token == 0 && latest[1].token != 0 -> confirms(latest[1], 1) }
  :: atomic { token == 0 && before[0].token != 0 -> confirms(before[0], 0) }
  :: atomic { token == 0 && before[1].token != 0 -> confirms(before[1], 1) }
  :: atomic {  /* the reaper: the same confirm once more */
       token == 0 && primary.state == CONFIRMED && primary.due ->
       primary.due = 0; primary.hand = 0;
       pod = primary.claimer - 1; id = primary.id; epoch = primary.epoch;
       token = primary.confirm; at = era; behind[s] = 1
     }
  :: atomic {  /* settle.lua, by a connection that may be another one by now */
       token != 0 && SURE ->
       if
       :: HELD && primary.state == CONFIRMED -> starts(); tells_start(pod, id, epoch, token)
       :: HELD && primary.state == STARTED -> tells_start(pod, id, epoch, token)
       :: !HELD || (primary.state != CONFIRMED && primary.state != STARTED) ->
            refuses(pod, id, epoch, token)
       fi;
       lets_go()
     }
  :: atomic {  /* not durable in time: taken back, where it has not come again */
       token != 0 && undoes ->
       if
       :: MINE_ALONE -> declined(); refuses(pod, id, epoch, token)
       :: HELD && primary.state == STARTED -> tells_start(pod, id, epoch, token)
#ifdef BUG_NOT_DURABLE_ANYHOW
       :: !MINE_ALONE -> refuses(pod, id, epoch, token)
#else
       :: else  /* another server has it in hand, and answers */
#endif
       fi;
       lets_go()
     }
  :: atomic { token != 0 -> lets_go() }  /* a crash, or the reaper in vain */
  od
}

/* All else that servers do about a match. */
proctype Queue() {
end:
  do
  :: atomic {
       primary.state == QUEUED && primary.id < MATCHES ->
       primary.state = OFFERED; primary.id++; primary.epoch = 1; primary.due = 0
     }
  :: atomic {  /* redeliver.lua */
       primary.state == OFFERED && primary.due && primary.epoch < OFFERS ->
       primary.epoch++; primary.due = 0; primary.said = 0
     }
  :: atomic {  /* give_back.lua */
       GIVES_BACK && primary.due ->
       promised(g2_who_plays_waits_not, (plays == 0));
       primary.state = QUEUED; primary.epoch = 0; primary.claimer = 0; primary.confirm = 0;
       primary.said = 0; primary.hand = 0; primary.due = 0
     }
  od
}

/* With failovers a pod confirms what it was told to have claimed, which is so once it is durable.
 * Without, it may confirm whatever was offered, with a claim or without. */
#if FAILOVERS > 0
#define MAY_CONFIRM (primary.claimer == i + 1 && replica.claimer == i + 1 \
  && replica.id == primary.id && replica.epoch == primary.epoch)
#else
#define MAY_CONFIRM (primary.state != QUEUED)
#endif
#define SAID (IS(latest[i], primary.id, primary.epoch, TOKEN(i)))

#define GIVEN_UP (plays != i + 1 && !(mind[i] == WAITS && SAID))

proctype Pod(byte i) {
end:
  do
  :: atomic {  /* its claim is done, whoever has sent it and when */
       primary.state == OFFERED && !primary.due ->
       primary.state = CLAIMED; primary.claimer = i + 1; primary.due = 0
     }
  :: atomic {
       MAY_CONFIRM && !SAID ->
       before[i].id = latest[i].id; before[i].epoch = latest[i].epoch;
       before[i].token = latest[i].token;
       latest[i].id = primary.id; latest[i].epoch = primary.epoch; latest[i].token = TOKEN(i);
       mind[i] = WAITS
     }
  :: atomic {  /* a decline is done; or a server takes back a claim that was not durable in time */
       primary.state == CLAIMED && primary.claimer == i + 1 -> declined()
     }
  :: atomic {  /* a decline is done: the pod has given it up */
       primary.state == CONFIRMED && primary.claimer == i + 1 && GIVEN_UP -> declined()
     }
  :: atomic { mind[i] == WAITS -> mind[i] = SILENT }
  :: atomic { lives[i] < LIVES - 1 -> lives[i]++; mind[i] = SILENT }  /* a crash */
  od
}

proctype World() {
end:
  do
  :: atomic {
       primary.state != QUEUED && primary.state != STARTED && !primary.due ->
       primary.due = 1; replica.due = 1
     }
#if FAILOVERS > 0
  :: atomic {
       copied(replica, primary);
       behind[0] = 0; behind[SERVERS - 1] = 0
     }
  :: atomic {
       era < FAILOVERS ->
       era++;
       copied(primary, replica);
       behind[0] = 0; behind[SERVERS - 1] = 0
     }
#else
  :: atomic { behind[0] || behind[SERVERS - 1] -> behind[0] = 0; behind[SERVERS - 1] = 0 }
#endif
  od
}

/* What must be reachable, so that the promises are not kept by doing nothing. */
#if defined(REACH_AFTER_FAILOVER)
#define GOAL (era == FAILOVERS && plays && primary.state == STARTED)
#elif defined(REACH_REFUSED_COPY)
#define GOAL (primary.said != 0 && primary.state == CLAIMED && mind[0] == REFUSED \
  && primary.claimer == 1)
#endif
#ifdef GOAL
active proctype Goal() {
end:
  atomic { GOAL -> assert(false) }
}
#endif

init {
  byte n;
  atomic {
    run Queue(); run World();
    for (n : 0 .. SERVERS - 1) { run Server(n) }
    for (n : 0 .. PODS - 1) { run Pod(n) }
    n = 0
  }
}
