/*
 * Who hears Pub/Sub, for Spin: messages are moved into the stream by who holds the hearing lease.
 *
 * The channel is one list of messages and marks. All hear it in one order, so that a position (a
 * mark, and how many messages came after it) is the same place in it for everybody: here its number.
 * Each server has heard the list up to somewhere, however late: that covers servers that are slow
 * or stand still. hear_lease.lua and hear_move.lua are one `atomic` step each. Time is left out:
 * that a lease stood still, anybody may find at any moment. A lost reply is a call that was applied
 * and is made again, or given up.
 *
 * Sizes and switches are set with -D. A BUG_ switch breaks one rule: the verifier must find it.
 */
#ifndef SERVERS
#define SERVERS 2   /* 2 or 3 */
#endif
#ifndef MESSAGES
#define MESSAGES 2  /* that are published */
#endif
#ifndef MARKS
#define MARKS 4     /* that are published: one with each look at the lease */
#endif
#ifndef BREAKS
#define BREAKS 1    /* subscriptions that break */
#endif
#ifndef KILLS
#define KILLS 1     /* servers that are killed, and start again */
#endif
#ifndef LATES
#define LATES 0     /* calls that are given up, and done when nobody waits any more */
#endif
#define LENGTH (MESSAGES + MARKS)

#define NOBODY   0
#define STRANGER 9  /* a process that was killed: the one in its place has another name */

/* ---- Redis: the channel, and the key `hearing` ---- */
bit is_mark[LENGTH + 1];
byte named[LENGTH + 1];  /* the mark at a place, or the last one before it */
byte length, marks;
byte epoch, holder, done, from;

/* ---- What is promised, followed beside Redis and read by no process ---- */
bit moved[LENGTH + 1];
byte moved_ones;
byte breaks, kills;
byte lates, late, late_f, late_to, late_e;  /* the call that was given up */

/* ---- The tapes: what a server has heard and not done, from behind `place` up to `until` ---- */
byte place[SERVERS];   /* 0: before the first mark that it hears, none has a name */
byte until[SERVERS];
bit lossy[SERVERS];    /* the subscription broke behind `until` */
byte cursor[SERVERS];  /* what it has got of the channel, or missed */
#ifdef BUG_BREAK_UNNOTICED
bit unheard[LENGTH + 1];  /* by somebody who knows nothing of that */
#endif

byte x;  /* counts within one step */

hidden byte g1_nothing_missed, g1_who_knows_goes_on, g2_nothing_twice;
hidden byte one_server_hears, place_never_goes_back;

inline promised(promise, so) {
  promise = so; assert(promise); promise = 0
}

#define HEARS(s) (place[s] != 0 && !lossy[s])
#define HOLDS(s, p) (named[p] >= named[place[s]] && named[p] <= until[s])  /* the mark that names it */
#define KNOWS(s, p) (HEARS(s) && p != 0 && HOLDS(s, p))
#if SERVERS == 2
#define OTHER_KNOWS(s, p) KNOWS(1 - s, p)
#else
#define OTHER_KNOWS(s, p) (KNOWS((s + 1) % 3, p) || KNOWS((s + 2) % 3, p))
#endif

/* tape.py */
inline forget(s) {
  place[s] = 0; until[s] = 0; lossy[s] = 0
}

inline advance(s, to) {
  if
  :: place[s] != 0 && HOLDS(s, to) && place[s] < to ->
       place[s] = (to <= until[s] -> to : until[s])
  :: else
  fi
}

inline let_go(s) {
  if :: lossy[s] -> forget(s) :: else fi;
  held = 0; held_done = 0; first = 0; is_ready = 0; begun = 0; stale = (call != 0)
}

#ifdef BUG_NOT_READY
#define READY (held != 0 && HEARS(i))
#else
#define READY (held != 0 && is_ready)
#endif

inline see_whether_ready() {
  is_ready = is_ready || (held != 0 && cursor[i] >= first && HEARS(i))
}

/* hear_lease.lua, and what becomes of its answer. `hear`: wants the lease, also one that was given
 * up. That it stood still is found by nobody while the lease is free and somebody else knows the
 * place: such a server takes it first. */
#ifdef BUG_FREE_FOR_ALL
#define WANTS (held != 0 || seen != 0)
#else
#define WANTS (held != 0 || seen && (seen_done == 0 || KNOWS(i, seen_done)))
#endif
#define FREE(hear) (holder == NOBODY && (epoch == 0 || hear))
#define MAY_STAND_STILL (holder != i + 1 && !(holder == NOBODY && OTHER_KNOWS(i, done)))

inline publish_mark() {
  length++; marks++; is_mark[length] = 1; named[length] = length
}

/* It has, or will have, all that is not done. Who looked last when nothing had been done yet, so at
 * most a beat ago, may not: a gap of the very first start. */
#define GOES_ON (HEARS(i) && named[done] >= named[place[i]] || epoch == 0 || seen && seen_done == 0)

inline take() {
  if
  :: holder == i + 1
  :: else ->
       promised(g1_who_knows_goes_on, (holder != NOBODY || GOES_ON || !OTHER_KNOWS(i, done)));
       epoch++; holder = i + 1
  fi;
  publish_mark()
}

inline keeps() {
  if
  :: epoch != my_epoch -> let_go(i); my_epoch = epoch
  :: else
  fi;
  if
  :: held == 0 -> held = epoch; held_done = done; first = length; see_whether_ready()
  :: else
  fi
}

inline follows() {
  if :: held != 0 -> let_go(i) :: else fi;
  seen = 1; seen_done = done;
  if :: done != 0 -> advance(i, done) :: else fi
}

/* hear_move.lua */
#ifdef BUG_EPOCH_IGNORED
#define LOST(e) false
#else
#define LOST(e) (epoch != e)
#endif
#ifdef BUG_PLACE_IGNORED
#define ELSEWHERE(f) false
#else
#define ELSEWHERE(f) (done != f)
#endif
#define AGAIN(f, t) (done == t && from == f)
#define REFUSED(f, t, e) (LOST(e) || !AGAIN(f, t) && ELSEWHERE(f))

inline move_to(f, t, e, carries) {
  promised(one_server_hears, (e == epoch));
  promised(place_never_goes_back, (t >= done));
  x = f + 1;
  do
  :: x <= t && !is_mark[x] ->
       if
       :: carries ->
            promised(g2_nothing_twice, !moved[x]);
#ifdef BUG_BREAK_UNNOTICED
            promised(g1_nothing_missed, !unheard[x]);
#endif
            moved[x] = 1; moved_ones++
       :: else -> promised(g1_nothing_missed, (f == 0 || breaks + kills != 0))
       fi;
       x++
  :: x <= t && is_mark[x] -> x++
  :: else -> break
  od;
  x = 0;
  done = t; from = f
}

inline answered() {
  call = 0; f = 0; to = 0; e = 0; stale = 0
}

inline refused() {
  if :: !stale -> let_go(i) :: else fi;
  answered()
}

/* After a break others hear on; what was heard until then is done first. */
#define LEAVES (lossy[i] && !(is_ready && place[i] < until[i]))

/* A server. `held`: the lease, by its epoch, as far as it knows. `call`: what it has in the air. */
#define BEGIN 1  /* goes on where the last one stopped; carries nothing */
#define DO    2

proctype Server(byte i) {
  byte held, held_done, first, my_epoch, seen_done;
  byte call, f, to, e;
  bit is_ready, begun, seen, stale;
end:
  do
  :: atomic {  /* hears the next message or mark */
       cursor[i] < length ->
       cursor[i]++;
       if
       :: is_mark[cursor[i]] && held != 0 && lossy[i]  /* first comes what it heard before */
       :: is_mark[cursor[i]] && !(held != 0 && lossy[i]) ->
            if :: lossy[i] -> forget(i) :: else fi;
            if :: place[i] == 0 -> place[i] = cursor[i] :: else fi;
            until[i] = cursor[i];
            see_whether_ready()
       :: !is_mark[cursor[i]] && HEARS(i) -> until[i] = cursor[i]
       :: !is_mark[cursor[i]] && !HEARS(i)
       fi
     }
  :: atomic {  /* the subscription breaks, and is there again */
       breaks < BREAKS ->
       breaks++;
#ifdef BUG_BREAK_UNNOTICED
       do
       :: cursor[i] < length -> cursor[i]++; unheard[cursor[i]] = !is_mark[cursor[i]]
       :: else -> break
       od;
       if :: place[i] != 0 -> until[i] = cursor[i] :: else fi
#else
       cursor[i] = length;
       lossy[i] = (place[i] != 0)
#endif
     }
  :: atomic {  /* looks at the lease, and keeps or takes it */
       marks < MARKS && (held == 0 || !LEAVES) &&
       (holder == i + 1 || FREE(WANTS) || (seen && MAY_STAND_STILL)) ->
       take();
       if :: true -> keeps() :: true fi  /* or the reply is lost */
     }
  :: atomic {  /* looks, and somebody else has it; who is not able to go on marks the channel */
       (held == 0 || !LEAVES) && holder != i + 1 && !FREE(WANTS) && (WANTS || marks < MARKS) ->
       if :: !WANTS -> publish_mark() :: else fi;
       follows()
     }
  :: atomic {
       held != 0 && LEAVES ->
       if :: holder == i + 1 -> holder = NOBODY :: else fi;
       follows()
     }
  :: atomic {
       call == 0 && READY && !begun ->
       if :: held_done != 0 -> advance(i, held_done) :: else fi;
       if
       :: place[i] == 0 -> let_go(i)
       :: else -> call = BEGIN; f = held_done; to = place[i]; e = held
       fi
     }
  :: atomic {
       call == 0 && READY && begun && place[i] < until[i] ->
       call = DO; f = place[i]; e = held;
       to = f + 1;
       do :: to < until[i] -> to++ :: break od
     }
  :: atomic {
       call != 0 ->
       if
       :: REFUSED(f, to, e) -> refused()
       :: !REFUSED(f, to, e) ->
            if :: !AGAIN(f, to) -> move_to(f, to, e, (call == DO)) :: else fi;
            if
            :: true -> advance(i, to); begun = (begun || !stale); answered()
            :: true  /* the reply is lost: the same call again */
            :: true -> refused()  /* or it is given up */
            fi
       fi
     }
  :: atomic {
       call != 0 && lates < LATES ->
       lates++; late = call; late_f = f; late_to = to; late_e = e;
       refused()
     }
  :: atomic {
       late != 0 ->
       if
       :: REFUSED(late_f, late_to, late_e) || AGAIN(late_f, late_to)
       :: else -> move_to(late_f, late_to, late_e, (late == DO))
       fi;
       late = 0; late_f = 0; late_to = 0; late_e = 0
     }
  :: atomic {  /* kill -9, and another process */
       kills < KILLS ->
       kills++;
       if :: holder == i + 1 -> holder = STRANGER :: else fi;
       forget(i); cursor[i] = length;
       held = 0; held_done = 0; first = 0; my_epoch = 0; seen = 0; seen_done = 0;
       is_ready = 0; begun = 0; answered()
     }
  od
}

/* Game servers. */
proctype Players() {
end:
  do
  :: atomic {
       length - marks < MESSAGES ->
       length++; named[length] = named[length - 1]
     }
  od
}

/* What must be reachable, so that the promises are not kept by doing nothing. */
#if defined(REACH_TAKEN_OVER)
#define GOAL (epoch == 2 && all_moved && kills == 0 && breaks == 0)
#elif defined(REACH_AFTER_KILL)
#define GOAL (epoch == 2 && all_moved && kills == 1)
#endif
#ifdef GOAL
#define all_moved (length == LENGTH && moved_ones == MESSAGES)
active proctype Goal() {
end:
  atomic { GOAL -> assert(false) }
}
#endif

init {
  byte n;
  atomic {
    run Players();
    for (n : 0 .. SERVERS - 1) { run Server(n) }
    n = 0
  }
}
