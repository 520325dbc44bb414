/*
 * The handoff of Matchkeeper, for Spin: who holds a player at every moment.
 *
 * Shared state is what Redis holds. Each Lua script is one `atomic` step on it, and after each such
 * step the promises are asserted (`promises`); nothing else changes Redis, so they are checked in
 * every state. Servers and pods keep local variables only, and lose them in a crash. A lost reply
 * is a call that was applied and is made again. Time is a flag: the deadline of a match has passed.
 *
 * Pods send messages, and handoff.lua does them: a claim is the pod's, also of the process that comes
 * after a crash; a confirm is the message's, by its token. Copies of messages are in failover.pml.
 * With DURABLE the server that has done a confirm settles it once it is durable, or takes it back, or
 * dies; then, when the lease has ended, another one settles it.
 *
 * With PARTY players 0 and 1 may come together, as one ticket; player 1 may come alone, too.
 *
 * Sizes and switches are set with -D. A BUG_ switch breaks one rule: the verifier must find it.
 */
#ifndef PLAYERS
#define PLAYERS 3   /* 2 or 3; a match takes two */
#endif
#ifndef ENQUEUES
#define ENQUEUES 1  /* accepted enqueues for each player */
#endif
#ifndef MATCHES
#define MATCHES 2   /* match ids that may be written, 1 to 3 */
#endif
#ifndef OFFERS
#define OFFERS 2    /* max_offers */
#endif
#ifndef ROUNDS
#define ROUNDS 2    /* match servers; each runs a round */
#endif
#ifndef REAPERS
#define REAPERS 2   /* and a reaper */
#endif
#ifndef PODS
#define PODS 2
#endif

#if defined(BUG_LATE_CLAIM) || defined(BUG_LATE_CONFIRM) || defined(BUG_GIVE_BACK_STARTED)
#define KEEP_ENDED  /* such code would have to keep the tickets of matches that have ended */
#endif

/* match:{tag}:<id>, field `state` */
#define NONE       0
#define OFFERED    1
#define CLAIMED    2
#define STARTED    3
#define GIVEN_BACK 4
#define CONFIRMED  5

#define STRANGER   9  /* the claimer of a match that is over */
#define WRONG_PLACE 15

typedef Match {
  byte state;
  byte epoch;           /* `offers` always equals it: both grow in redeliver only */
  byte claimer;         /* claimed_by: pod + 1 */
  bit known;            /* the process that has sent the confirm is there: it knows its token */
  bit due;              /* its score in pending:{tag} has passed */
  byte place[PLAYERS]   /* tickets: 0 = not in this match */
}

/* ---- Redis ---- */
byte queue[PLAYERS];    /* queue:{tag}: the place of a waiting player, 0 = not there */
byte matched[PLAYERS];  /* matched:{tag}: the pending match of a player */
byte leaving[PLAYERS];  /* leaving:{tag}: the pending match a player asked to leave */
Match match[MATCHES + 1];
#ifdef PARTY
bit joined;             /* the ticket of the party waits or is in a pending match */
bit index[2];           /* parties: whether the player is said to be in it */
#endif

/* ---- What is promised, followed beside Redis and read by no process ---- */
#define NEVER 0
#define WAITS 1   /* accepted: to be told EnQueued */
#define OUT   2   /* to be told DeQueued or Expired */
#define PLAYS 3   /* in a match whose start was confirmed */
byte fate[PLAYERS];
byte enqueued[PLAYERS];     /* accepted enqueues; the last one's number is also the place it gave */
bit asked_to_leave[PLAYERS];  /* since the last enqueue, and was heard */
byte battle[MATCHES + 1];   /* pod + 1 that really started the match */
byte told[PODS];            /* the match that a pod was told it may start, and has not yet started */

byte held[ROUNDS];         /* the match id a server has made up and not yet committed */

#define PENDING(m) \
  (match[m].state == OFFERED || match[m].state == CLAIMED || match[m].state == CONFIRMED)
#define IN(m, p)   (PENDING(m) && match[m].place[p] != 0)

byte x;  /* counts within one step */

#if MATCHES == 1
#define COPIES(p) ((queue[p] != 0) + IN(1, p))
#elif MATCHES == 2
#define COPIES(p) ((queue[p] != 0) + IN(1, p) + IN(2, p))
#else
#define COPIES(p) ((queue[p] != 0) + IN(1, p) + IN(2, p) + IN(3, p))
#endif

/* Named, so that the verifier reports which promise is broken. */
hidden byte g1_never_lost, g2_never_doubled, g3_place_kept, g3_leaving_counts;
hidden byte g2_starts_once, g2_claimer_starts, g2_one_start_an_enqueue;
hidden byte one_proposal_one_match, old_epoch_refused, lease_holds;
hidden byte g2_party_is_whole, g2_index_is_right;

inline promised(promise, so) {
  promise = so; assert(promise); promise = 0
}

inline promises_to(p) {
  promised(g1_never_lost, (fate[p] != WAITS || COPIES(p) >= 1));
  promised(g2_never_doubled, (COPIES(p) <= 1 && !(fate[p] == PLAYS && COPIES(p) != 0)));
  promised(g3_place_kept, (queue[p] == 0 || queue[p] == enqueued[p]));
  promised(g3_leaving_counts, (!(fate[p] == OUT && COPIES(p)) && !(asked_to_leave[p] && queue[p])))
}

#ifdef PARTY
#define TOGETHER(m) (IN(m, 0) == IN(m, 1))
inline promises_to_party() {
  promised(g2_party_is_whole, (!joined || (queue[0] != 0) == (queue[1] != 0) && TOGETHER(1)));
#if MATCHES > 1
  promised(g2_party_is_whole, (!joined || TOGETHER(2)));
#endif
  promised(g2_index_is_right, (index[0] == joined && index[1] == joined))
}
#else
#define promises_to_party() skip
#endif

inline promises() {
  d_step {
    promises_to(0);
    promises_to(1);
#if PLAYERS > 2
    promises_to(2);
#endif
    promises_to_party()
  }
}

/* What must be reachable, where it shows in one step; the rest stands at the end. */
#ifdef REACH_SETTLED
#define reached_settled() assert(false)
#else
#define reached_settled() skip
#endif
#ifdef REACH_DECLINED
#define reached_declined(m) assert(match[m].state != CONFIRMED)
#else
#define reached_declined(m) skip
#endif

/* ---- The scripts ---- */

/* What lib/replay.lua remembers under the token of a call. */
#define UNKNOWN 0
#define HEARD   1
#define UNHEARD 2

#ifdef BUG_ENQUEUE_WHILE_PENDING
#define IN_PENDING(p) false
#else
#define IN_PENDING(p) (matched[p] != 0)
#endif

#define SOMEWHERE(p) (queue[p] != 0 || IN_PENDING(p))

inline is_queued(p) {
  enqueued[p]++;
  queue[p] = enqueued[p];
  fate[p] = WAITS;
  asked_to_leave[p] = 0
}

/* enqueue.lua, for a request that is new. */
inline enqueue(p) {
  if
  :: !SOMEWHERE(p) -> is_queued(p)
  :: else  /* already_in_queue, match_pending, in_party */
  fi
}

#ifdef PARTY
#define IN_PARTY(p) (joined && p < 2)
#define IN_PLACE_OF(p) (1 - p)  /* the other one of the party */
inline parts() {
  joined = 0; index[0] = 0;
#ifndef BUG_LEFT_IN_INDEX
  index[1] = 0
#endif
}
/* enqueue.lua, for both at once: none is queued where one cannot be. */
inline enqueue_party() {
  if
  :: !SOMEWHERE(0) && !SOMEWHERE(1) && !index[0] && !index[1] ->
       is_queued(0); is_queued(1);
       joined = 1; index[0] = 1; index[1] = 1
  :: else
  fi
}
#define PARTY_MAY_COME (enqueued[0] < ENQUEUES && enqueued[1] < ENQUEUES)
#define COMES_ALONE(p) (p != 0)
#else
#define IN_PARTY(p) false
#define IN_PLACE_OF(p) p
#define parts() skip
#define COMES_ALONE(p) true
#endif

inline is_out(p) {
  queue[p] = 0; fate[p] = OUT
}

/* dequeue.lua: who leaves takes the ticket out. */
inline dequeue(p) {
  if
  :: queue[p] != 0 && !IN_PARTY(p) -> is_out(p)
  :: queue[p] != 0 && IN_PARTY(p) -> is_out(p); is_out(IN_PLACE_OF(p)); parts()
  :: queue[p] == 0 && matched[p] != 0 ->
       leaving[p] = matched[p]; asked_to_leave[p] = 1;
       if :: IN_PARTY(p) -> asked_to_leave[IN_PLACE_OF(p)] = 1 :: else fi
  :: else  /* not_in_queue */
  fi
}

/* expire.lua: takes out who still has the place that was read; else it changes nothing. */
inline expire(p) {
  if
  :: IN_PARTY(p) -> is_out(p); is_out(IN_PLACE_OF(p)); parts()
  :: else -> is_out(p)
  fi
}

#ifdef BUG_COMMIT_FORGOTTEN
#define KNOWN_ID(id) false
#else
#define KNOWN_ID(id) (match[id].state != NONE)
#endif
#ifdef BUG_COMMIT_NO_CHECK
#define STILL_THERE(a, pa, b, pb) true
#else
#define STILL_THERE(a, pa, b, pb) \
  (queue[a] == pa && queue[b] == pb && !matched[a] && !matched[b])
#endif

#if defined(PARTY) && !defined(BUG_PARTY_SPLIT)
inline with_the_other(id, a) {  /* of a party, which is the first of a pair */
  if
  :: a == 0 -> match[id].place[1] = queue[1]; queue[1] = 0; matched[1] = id
  :: else
  fi
}
#else
#define with_the_other(id, a) skip
#endif

/* commit.lua, for the pair a, b whose places were read as pa, pb. */
inline commit(id, a, pa, b, pb, made) {
  if
  :: KNOWN_ID(id)  /* committed, as it said before */
  :: !KNOWN_ID(id) && !STILL_THERE(a, pa, b, pb)  /* stale */
  :: !KNOWN_ID(id) && STILL_THERE(a, pa, b, pb) ->
       promised(one_proposal_one_match, !made);
       made = 1;
       match[id].state = OFFERED;
       match[id].epoch = 1;
       match[id].place[a] = pa;
       match[id].place[b] = pb;
       queue[a] = 0; queue[b] = 0;
       matched[a] = id; matched[b] = id;
       with_the_other(id, a)
  :: !KNOWN_ID(id)  /* no_server: nothing is changed */
  fi
}

/* A match that has ended: what nobody can ask for any more is not told apart. */
inline ended(m) {
#ifndef KEEP_ENDED
  for (x : 0 .. PLAYERS - 1) { match[m].place[x] = 0 }
  x = 0;
#endif
  match[m].due = 0
}

inline forget(m) {
#ifdef KEEP_ENDED
  skip
#else
  match[m].epoch = 1;
  match[m].claimer = STRANGER; match[m].known = 0
#endif
}

#ifdef BUG_OTHER_TOKEN
#define after_start(m) skip
#else
#define after_start(m) forget(m)
#endif

#ifdef BUG_OLD_EPOCH
#define EPOCH_HOLDS(m, e) true
#else
#define EPOCH_HOLDS(m, e) (match[m].epoch == e)
#endif

#ifdef BUG_LATE_CLAIM
#define CLAIMABLE(m, e) (match[m].state != NONE && match[m].state != CLAIMED && EPOCH_HOLDS(m, e))
#else
#define CLAIMABLE(m, e) (match[m].state == OFFERED && EPOCH_HOLDS(m, e) && !match[m].due)
#endif

/* A claim; the same message again changes nothing. */
inline claim(m, e, pod) {
  match[m].state = CLAIMED;
  match[m].claimer = pod + 1;
  match[m].due = 0
}

/* A confirm, the first time */
#ifdef BUG_LATE_CONFIRM
#define CONFIRMABLE(m, e, pod) \
  ((match[m].state == CLAIMED || match[m].state == GIVEN_BACK) && EPOCH_HOLDS(m, e) \
   && match[m].claimer == pod + 1)
#elif defined(BUG_CONFIRM_NOT_CLAIMED)
#define CONFIRMABLE(m, e, pod) \
  (match[m].state == CLAIMED && EPOCH_HOLDS(m, e) && !match[m].due)
#else
#define CONFIRMABLE(m, e, pod) \
  (match[m].state == CLAIMED && EPOCH_HOLDS(m, e) && match[m].claimer == pod + 1 && !match[m].due)
#endif

/* The same message gets the same reply; another one of the same pod gets `other_token`. */
#ifdef BUG_OTHER_TOKEN
#define SAME_TOKEN(m, pod) true
#else
#define SAME_TOKEN(m, pod) (match[m].known && battle[m] != pod + 1)
#endif
#define AGAIN(m, e, pod) \
  (EPOCH_HOLDS(m, e) && match[m].claimer == pod + 1 && SAME_TOKEN(m, pod))
#define TO_START(m, e, pod) (match[m].state == STARTED && AGAIN(m, e, pod))

inline start(m) {
  promised(g2_claimer_starts, (match[m].claimer != 0));
  match[m].state = STARTED;
  for (x : 0 .. PLAYERS - 1) {
    if
    :: match[m].place[x] != 0 ->
         promised(g3_leaving_counts, (fate[x] != OUT));
         promised(g2_one_start_an_enqueue, (fate[x] == WAITS));
         fate[x] = PLAYS;
         matched[x] = 0; leaving[x] = 0
    :: else
    fi
  }
  x = 0;
  if :: IN_PARTY(0) && match[m].place[0] != 0 -> parts() :: else fi;
  ended(m)
}

#ifdef DURABLE
inline confirm(m) {
  match[m].state = CONFIRMED;
  match[m].known = 1;
  match[m].due = 0
}
#else
inline confirm(m) {
  match[m].known = 1;
  start(m)
}
#endif

/* settle.lua, by the server that waited until the confirm was durable. Under one epoch there is one
 * confirm: after a decline nobody can claim until the match is offered again. */
#ifdef BUG_SETTLE_ANY
#define SETTLEABLE(m, e) ((match[m].state == CONFIRMED || match[m].state == OFFERED))
#else
#define SETTLEABLE(m, e) (match[m].state == CONFIRMED && match[m].epoch == e)
#endif

#ifdef BUG_DECLINE_STARTED
#define MAY_DECLINE(m) (match[m].state == CLAIMED || match[m].state == CONFIRMED \
  || match[m].state == STARTED)
#else
#define MAY_DECLINE(m) (match[m].state == CLAIMED || match[m].state == CONFIRMED)
#endif
/* A decline, by a pod, or by a server for a confirm that is not durable in time. */
inline decline(m) {
  reached_declined(m);
  match[m].state = OFFERED;
  match[m].claimer = 0; match[m].known = 0;
  match[m].due = 1
}

/* redeliver.lua; the new offer is heard by somebody or by nobody. */
inline redeliver(m, e, answer) {
  if
  :: match[m].state == OFFERED && match[m].epoch == e && match[m].due ->
       match[m].epoch++;
       match[m].due = 0;
       if :: answer = HEARD :: answer = UNHEARD fi
  :: else  /* gone; not remembered */
  fi
}

#ifdef BUG_GIVE_BACK_STARTED
#define MAY_GIVE_BACK(m, e) (match[m].state != NONE && match[m].state != GIVEN_BACK)
#else
#define MAY_GIVE_BACK(m, e) \
  ((match[m].state == OFFERED || match[m].state == CLAIMED) && match[m].epoch == e)
#endif
#ifdef BUG_GIVE_BACK_EARLY
#define OVER(m, force) true
#else
#define OVER(m, force) (match[m].due || force)
#endif
#ifdef BUG_NEW_PLACE
#define PLACE(m, p) WRONG_PLACE
#elif defined(BUG_HALF_PUT_BACK)
#define PLACE(m, p) (IN_PARTY(p) && p == 1 -> 0 : match[m].place[p])
#else
#define PLACE(m, p) match[m].place[p]
#endif

/* Of a party all leave where one does. */
#ifdef BUG_LEAVES_ALONE
#define LEAVES(m, p) (leaving[p] == m)
#else
#define LEAVES(m, p) (leaving[p] == m || (IN_PARTY(p) && leaving[IN_PLACE_OF(p)] == m))
#endif

/* give_back.lua */
inline give_back(m, e, force, answer) {
  if
  :: MAY_GIVE_BACK(m, e) && OVER(m, force) ->
       promised(lease_holds, (match[m].state != CLAIMED || match[m].due || force));
       for (x : 0 .. PLAYERS - 1) {
         if
         :: match[m].place[x] == 0
#ifndef BUG_DEQUEUE_IGNORED
         :: match[m].place[x] != 0 && LEAVES(m, x) -> fate[x] = OUT
         :: match[m].place[x] != 0 && !LEAVES(m, x) ->
#else
         :: match[m].place[x] != 0 ->
#endif
              queue[x] = PLACE(m, x)
         fi
       }
       if
       :: IN_PARTY(0) && match[m].place[0] != 0 && LEAVES(m, 0) -> parts()
       :: else
       fi;
       for (x : 0 .. PLAYERS - 1) {
         if :: match[m].place[x] != 0 -> matched[x] = 0; leaving[x] = 0 :: else fi
       }
       x = 0;
       match[m].state = GIVEN_BACK;
       ended(m);
       forget(m);
       answer = HEARD
  :: else  /* gone; not remembered */
  fi
}

/* ---- The processes ---- */

/* A pod hears that it may start, or the answer is lost. */
inline hears_start(m, pod) {
  if
  :: told[pod] == 0 && battle[m] != pod + 1 -> told[pod] = m
  :: true
  fi
}

#define FREE(m) (match[m].state == NONE && held[0] != m && held[ROUNDS - 1] != m)
/* Whether a match is such; and any match that is, into a variable. */
#if MATCHES == 1
#define ANY(such) such(1)
#define CHOOSE(such, m) m = 1
#elif MATCHES == 2
#define ANY(such) (such(1) || such(2))
#define CHOOSE(such, m) if :: such(1) -> m = 1 :: such(2) -> m = 2 fi
#else
#define ANY(such) (such(1) || such(2) || such(3))
#define CHOOSE(such, m) if :: such(1) -> m = 1 :: such(2) -> m = 2 :: such(3) -> m = 3 fi
#endif
#define KNOWN(m)   (match[m].state != NONE)

#ifdef PARTY
#define HEADS(p) (queue[p] && !(joined && p == 1))  /* has a ticket of its own, or that of the party */
#define ANY_PAIR (HEADS(2) && (HEADS(0) || HEADS(1)))
#elif PLAYERS == 2
#define ANY_PAIR (queue[0] && queue[1])
#else
#define ANY_PAIR ((queue[0] && queue[1]) || (queue[2] && (queue[0] || queue[1])))
#endif

/* A match id that nobody has used. */
inline new_id(i) {
  x = 1;
  do
  :: x <= MATCHES && !FREE(x) -> x++
  :: else -> break
  od;
  held[i] = x; x = 0
}

#ifdef BUG_POP
#define TAKE(p) queue[p] = 0
#else
#define TAKE(p) skip
#endif

/* round.py: read the queue, propose a pair, commit it under a new id, the same id in each retry. */
proctype Round(byte i) {
  byte a, b, pa, pb;
  bit made;
end:
  do
  :: atomic {
       held[i] == 0 && ANY_PAIR && ANY(FREE) ->
       if
#ifdef PARTY
       :: HEADS(0) && HEADS(2) -> a = 0; b = 2
       :: HEADS(1) && HEADS(2) -> a = 1; b = 2
#else
       :: queue[0] && queue[1] -> a = 0; b = 1
#endif
#if PLAYERS > 2 && !defined(PARTY)
       :: queue[0] && queue[2] -> a = 0; b = 2
       :: queue[1] && queue[2] -> a = 1; b = 2
#endif
       fi;
       pa = queue[a]; pb = queue[b];
       TAKE(a); TAKE(b);
       new_id(i);
       promises()
     }
  :: atomic {
       held[i] != 0 ->
       commit(held[i], a, pa, b, pb, made);
       promises();
       if
       :: held[i] = 0; a = 0; b = 0; pa = 0; pb = 0; made = 0  /* the reply, or a crash */
#ifdef BUG_NEW_ID_ON_RETRY
       :: ANY(FREE) -> new_id(i)
#else
       :: true  /* the reply is lost: the same call again */
#endif
       fi
     }
  :: atomic { held[i] != 0 -> held[i] = 0; a = 0; b = 0; pa = 0; pb = 0; made = 0 }  /* a crash */
  od
}

/* Steps of a reaper. */
#define IDLE       0
#define REDELIVER  1
#define GIVE_BACK  2
#define FORCE      3
#define SETTLE     4

#if defined(BUG_GIVE_BACK_EARLY) || defined(BUG_GIVE_BACK_STARTED)
#define TO_REAP(m) KNOWN(m)
#else
#define TO_REAP(m) (PENDING(m) && (match[m].state != CONFIRMED || match[m].due))
#endif

inline reaper_idle() {
  m = 0; e = 0; step = IDLE; answer = UNKNOWN
}

/* reaper.py with decide.py: read a pending match, then act with the epoch that was read. */
proctype Reaper() {
  byte m, e, step, answer;
end:
  do
  :: atomic {
       step == IDLE && ANY(TO_REAP) ->
       CHOOSE(TO_REAP, m);
       e = match[m].epoch;
       if
       :: match[m].state == OFFERED && e < OFFERS -> step = REDELIVER
       :: match[m].state == CONFIRMED -> step = SETTLE
       :: else -> step = GIVE_BACK
       fi
     }
  :: atomic {
       step == REDELIVER ->
       if
       :: answer == UNKNOWN -> redeliver(m, e, answer); promises()
       :: else  /* a repeated call: as remembered under its token */
       fi;
       if
       :: answer == UNHEARD -> e = e + 1; step = FORCE; answer = UNKNOWN
       :: answer == HEARD -> reaper_idle()  /* so would each repeated call */
       :: answer == UNKNOWN -> reaper_idle()
       :: answer != HEARD  /* the reply is lost: the same call again */
       fi
     }
  :: atomic {
       step == GIVE_BACK || step == FORCE ->
       give_back(m, e, (step == FORCE), answer);
       promises();
       if
       :: reaper_idle()
       :: answer != HEARD  /* the reply is lost: the same call again; once done, it does nothing */
       fi
     }
  :: atomic {  /* settle.lua, for a confirm whose server is gone, once it is durable */
       step == SETTLE ->
       if
       :: match[m].state == CONFIRMED && match[m].epoch == e ->
            reached_settled();
            start(m); promises();
            if :: match[m].known -> hears_start(m, match[m].claimer - 1) :: else fi
       :: else
       fi;
       reaper_idle()
     }
  :: atomic { step != IDLE -> reaper_idle() }  /* a crash */
  od
}

#ifdef DURABLE
/* A server that has a confirm in hand: requests.py. It was done, or it was done before and the same
 * message has come again. */
proctype Settler() {
  byte m, e;
end:
  do
  :: atomic { m == 0 && match[1].state == CONFIRMED && match[1].known -> m = 1; e = match[1].epoch }
#if MATCHES > 1
  :: atomic { m == 0 && match[2].state == CONFIRMED && match[2].known -> m = 2; e = match[2].epoch }
#endif
#if MATCHES > 2
  :: atomic { m == 0 && match[3].state == CONFIRMED && match[3].known -> m = 3; e = match[3].epoch }
#endif
  :: atomic {  /* it is durable */
       m != 0 ->
       if
       :: SETTLEABLE(m, e) ->
            start(m); promises();
            if :: match[m].known -> hears_start(m, match[m].claimer - 1) :: else fi
       :: else
       fi;
       m = 0; e = 0
     }
  :: atomic {  /* not in time: it is taken back */
       m != 0 ->
       if
       :: MAY_DECLINE(m) && match[m].epoch == e -> decline(m); promises()
       :: else
       fi;
       m = 0; e = 0
     }
  :: atomic { m != 0 -> m = 0; e = 0 }  /* a crash */
  od
}
#endif

/* What a pod may do with the offer (m, e). Refused messages change nothing, and are left out. */
#define DECLINABLE(m, e, pod) \
  (MAY_DECLINE(m) && EPOCH_HOLDS(m, e) && match[m].claimer == pod + 1)
#ifdef BUG_CLAIM_NOT_ATOMIC
#define CLAIM(m, e, pod) seen = m
#else
#define CLAIM(m, e, pod) claim(m, e, pod)
#endif
#if !defined(DURABLE) || defined(BUG_START_UNSETTLED)
#define TELL(m, pod) hears_start(m, pod)
#else
#define TELL(m, pod) skip
#endif

inline act(m, e, pod) {
  if
  :: CLAIMABLE(m, e) -> CLAIM(m, e, pod)
  :: DECLINABLE(m, e, pod) -> decline(m)
  :: CONFIRMABLE(m, e, pod) ->
       promised(old_epoch_refused, (match[m].epoch == e));
       confirm(m);
       TELL(m, pod)
#ifdef DURABLE
  :: match[m].state == CONFIRMED && AGAIN(m, e, pod) && match[m].due -> match[m].due = 0
#endif
  :: told[pod] == 0 && TO_START(m, e, pod) -> told[pod] = m  /* the same answer */
  fi
}

#ifdef DURABLE
#define MAY_PROLONG(m, e) (match[m].state == CONFIRMED && AGAIN(m, e, i) && match[m].due)
#else
#define MAY_PROLONG(m, e) false
#endif
#define MAY_ACT(m, e) \
  (match[m].epoch >= e && (CLAIMABLE(m, e) || DECLINABLE(m, e, i) || MAY_PROLONG(m, e) \
   || CONFIRMABLE(m, e, i) || (told[i] == 0 && TO_START(m, e, i))))

#define MINE(m) (match[m].claimer == i + 1 && match[m].known)

/* A game server. What it says of any offer that was ever published may be done at any time: this
 * covers offers that are lost, late, heard twice, or worked on side by side, messages that are late,
 * and lost answers. After a crash its process knows none of the tokens of the one before, and has
 * its name. Only who is told `started` starts. */
proctype Pod(byte i) {
#ifdef BUG_CLAIM_NOT_ATOMIC
  byte seen;
#endif
end:
  do
  :: atomic { MAY_ACT(1, 1) -> act(1, 1, i); promises() }
#if OFFERS > 1
  :: atomic { MAY_ACT(1, 2) -> act(1, 2, i); promises() }
#endif
#if OFFERS > 2
  :: atomic { MAY_ACT(1, 3) -> act(1, 3, i); promises() }
#endif
#if MATCHES > 1
  :: atomic { MAY_ACT(2, 1) -> act(2, 1, i); promises() }
#if OFFERS > 1
  :: atomic { MAY_ACT(2, 2) -> act(2, 2, i); promises() }
#endif
#if OFFERS > 2
  :: atomic { MAY_ACT(2, 3) -> act(2, 3, i); promises() }
#endif
#endif
#if MATCHES > 2
  :: atomic { MAY_ACT(3, 1) -> act(3, 1, i); promises() }
#if OFFERS > 1
  :: atomic { MAY_ACT(3, 2) -> act(3, 2, i); promises() }
#endif
#if OFFERS > 2
  :: atomic { MAY_ACT(3, 3) -> act(3, 3, i); promises() }
#endif
#endif
#ifdef BUG_CLAIM_NOT_ATOMIC
  :: atomic { seen != 0 -> claim(seen, 0, i); seen = 0; promises() }
#endif
  :: atomic {
       told[i] != 0 ->
       promised(g2_claimer_starts,
         (match[told[i]].state == STARTED && match[told[i]].claimer == i + 1));
       promised(g2_starts_once, (battle[told[i]] == 0));
       battle[told[i]] = i + 1;
       after_start(told[i]);
       told[i] = 0
     }
  :: atomic {  /* a crash: its tokens are forgotten */
       told[i] != 0 || ANY(MINE) ->
       told[i] = 0;
       for (x : 1 .. MATCHES) {
         if :: match[x].claimer == i + 1 -> match[x].known = 0 :: else fi
       }
       x = 0
     }
  od
}

#ifdef BUG_DEQUEUE_FROM_MEMORY
/* A dequeue in the words of an earlier one is taken for the same request sent again, although the
 * player has come back since and is in a pending match: what was answered then is said again. */
#define REMEMBERED(p) (answered != NEVER && queue[p] == 0)
inline leave(p) {
  if
  :: REMEMBERED(p) ->
       promised(g3_leaving_counts, (fate[p] != WAITS || (answered == WAITS && asked_to_leave[p])))
  :: else ->
       answered = (queue[p] -> OUT : WAITS);
       dequeue(p)
  fi
}
#else
#define REMEMBERED(p) false
inline leave(p) {
  dequeue(p)
}
#endif

/* A player: enqueues, leaves, repeats requests (lib/seen.lua knows them again: without effect); and
 * waits too long, whenever that is. */
proctype Player(byte p) {
#ifdef BUG_DEQUEUE_FROM_MEMORY
  byte answered;  /* OUT: dequeued; WAITS: match_pending */
#endif
end:
  do
  :: atomic { COMES_ALONE(p) && enqueued[p] < ENQUEUES -> enqueue(p); promises() }
#ifdef PARTY
  :: atomic { p == 0 && PARTY_MAY_COME -> enqueue_party(); promises() }
#endif
  :: atomic { REMEMBERED(p) || queue[p] || matched[p] -> leave(p); promises() }
  :: atomic { queue[p] != 0 -> expire(p); promises() }
#ifdef BUG_ENQUEUE_FORGOTTEN
  /* lib/seen.lua without memory: a request that is sent again counts again. */
  :: atomic {
       enqueued[p] != 0 && queue[p] == 0 && matched[p] == 0 ->
       queue[p] = enqueued[p];
       promises()
     }
#endif
  od
}

/* Deadlines pass. */
proctype Clock() {
end:
  do
  :: PENDING(1) && !match[1].due -> match[1].due = 1
#if MATCHES > 1
  :: PENDING(2) && !match[2].due -> match[2].due = 1
#endif
#if MATCHES > 2
  :: PENDING(3) && !match[3].due -> match[3].due = 1
#endif
  od
}

/* What must be reachable, so that the promises are not kept by doing nothing. */
#if defined(REACH_START)
#define GOAL (battle[1] != 0)
#elif defined(REACH_START_AFTER_GIVE_BACK)
#define GOAL (match[1].state == GIVEN_BACK && battle[2] != 0)
#elif defined(REACH_LEFT)
#define GOAL (fate[0] == OUT && asked_to_leave[0] && match[1].state == GIVEN_BACK)
#elif defined(REACH_LAST_OFFER)
#define GOAL (match[1].epoch == OFFERS && battle[1] == 0 && match[1].state == STARTED)
#elif defined(REACH_PARTY_START)
#define GOAL (battle[1] != 0 && fate[0] == PLAYS && fate[1] == PLAYS && fate[2] == PLAYS)
#elif defined(REACH_PARTY_LEFT)
#define GOAL (fate[0] == OUT && fate[1] == OUT && match[1].state == GIVEN_BACK && queue[2])
#elif defined(REACH_SECOND_START)
#define GOAL (enqueued[0] == 2 && battle[1] != 0 && battle[2] != 0)
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
    run Clock();
    for (n : 0 .. ROUNDS - 1) { run Round(n) }
    for (n : 0 .. REAPERS - 1) { run Reaper() }
    for (n : 0 .. PODS - 1) { run Pod(n) }
#ifdef DURABLE
    run Settler();
#endif
    for (n : 0 .. PLAYERS - 1) { run Player(n) }
    n = 0
  }
}
