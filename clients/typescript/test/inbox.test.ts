import assert from "node:assert/strict";
import { test } from "node:test";
import { Message } from "../src/asking.js";
import { Inbox } from "../src/inbox.js";
import type { Mailbox } from "../src/mailbox.js";
import type { Answer } from "../src/wire.js";
import { answerIn, checkId, offerIn, playersOf } from "../src/messages.js";

const NEWS = {
  queued: { player_id: "p1", result_type: "EnQueued" },
  expired: { player_id: "p1", result_type: "Expired" },
  refused: { player_id: "p1", result_type: { Error: { code: "request_expired", message: "no" } } },
  found: {
    player_id: "p1",
    result_type: { MatchFound: { match_id: "m", game_mode: "SQUAD", opponent_id: "p2", player_ids: ["p1", "p2"] } },
  },
};

const LEFT = { player_id: "p1", result_type: "DeQueued", party_id: "crew", left_by: "p2" };

function asked(inbox: Inbox, kind: "enqueue" | "dequeue" = "enqueue"): Message {
  const message = new Message(kind, "p1", `${kind} of p1`, { game_mode: "Squad" });
  message.entryId = "1-1";
  inbox.open(message);
  return message;
}

/** What can be read without waiting. */
async function read<T>(mailbox: Mailbox<T>): Promise<T[]> {
  const found: T[] = [];
  const reading = (async () => {
    for await (const each of mailbox) found.push(each);
  })();
  await new Promise((resolve) => setImmediate(resolve));
  mailbox.close();
  await reading;
  return found;
}

test("what is no message of the wire is passed over", () => {
  const hostile = ["", "{", "null", "[]", "7", '"x"', "{}", '{"player_id":7,"result_type":"EnQueued"}', "[".repeat(1e5)];
  const results = ["[]", "null", "7", "{}", '{"MatchFound":null}', '{"MatchFound":{"match_id":"m"}}', '{"Error":{}}'];
  for (const text of [...hostile, '{"player_id":"p"}', ...results.map((it) => `{"player_id":"p1","result_type":${it}}`)]) {
    assert.equal(answerIn(text), undefined, text.slice(0, 50));
  }
  const half = ['{"match_id":"m"}', '{"match_id":"m","game_mode":"s","teams":7}', '{"match_id":"m","game_mode":"s","teams":[7]}'];
  for (const text of [...hostile, ...half, '{"match_id":"m","game_mode":"s","player1":{}}']) {
    assert.equal(offerIn(text), undefined, text.slice(0, 50));
  }
});

test("an id that no server takes is refused here", () => {
  for (const id of ["", "x".repeat(129), "a\nb", "\x7f", "\ud800", 7 as unknown as string]) {
    assert.throws(() => checkId("player_id", id), { code: "invalid_player_id" }, JSON.stringify(id));
  }
  for (const id of ["p", "x".repeat(128), "😀".repeat(128), "jürgen {1}"]) checkId("pod_id", id);
});

test("the players of a match stand team after team", () => {
  const player = (id: string) => ({ player_id: id, score: 1, pod_id: "a", metadata: {} });
  const offer = { match_id: "m", game_mode: "s", epoch: 1 };
  const four = { ...offer, teams: [[player("p1"), player("p2")], [player("p3"), player("p4")]] };
  const two = { ...offer, player1: player("p1"), player2: player("p2") };
  for (const each of [four, two]) {
    const heard = offerIn(JSON.stringify(each));
    assert.ok(heard !== undefined);
    assert.deepEqual(playersOf(heard).map((it) => it.player_id), ["p1", "p2", "p3", "p4"].slice(0, each === four ? 4 : 2));
  }
});

test("an answer goes to the request that was sent first, and is no news", async () => {
  const inbox = new Inbox(10);
  const [first, second] = [asked(inbox), asked(inbox)];
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  assert.deepEqual([first.heard, second.heard], [NEWS.queued, undefined]);
  inbox.hearAnswer(JSON.stringify(NEWS.refused));
  assert.deepEqual(second.heard, NEWS.refused);
  assert.deepEqual(await read(inbox.news), []);
});

test("a match explains an answer that was lost, and is news", async () => {
  const inbox = new Inbox(10);
  const message = asked(inbox);
  inbox.hearAnswer(JSON.stringify(NEWS.found));
  assert.equal(message.heard, undefined, "it may be of the time before it asked");
  message.askedAgain = true;
  inbox.hearAnswer(JSON.stringify(NEWS.found));
  assert.deepEqual(message.heard, NEWS.found);
  assert.deepEqual(await read(inbox.news), [NEWS.found], "it is told again, and is handed out once");
});

test("of players who wait news is to come, and what says that they wait is no news", async () => {
  const inbox = new Inbox(10);
  asked(inbox);
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  assert.equal(inbox.waiting.size, 1);
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  assert.equal(inbox.waiting.size, 1, "still waiting");
  inbox.hearAnswer(JSON.stringify(NEWS.found));
  assert.equal(inbox.waiting.size, 0);
  assert.deepEqual(await read(inbox.news), [NEWS.found]);
});

test("who has left, or expired, is not asked for", () => {
  const inbox = new Inbox(10);
  asked(inbox);
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  asked(inbox, "dequeue");
  inbox.hearAnswer(JSON.stringify({ player_id: "p1", result_type: "DeQueued" }));
  assert.equal(inbox.waiting.size, 0);
  asked(inbox);
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  inbox.hearAnswer(JSON.stringify(NEWS.expired));
  assert.equal(inbox.waiting.size, 0);
});

test("a request that was sent several times is answered several times, which is no news", async () => {
  const inbox = new Inbox(10);
  for (const kind of ["enqueue", "dequeue"] as const) {
    const message = asked(inbox, kind);
    message.askedAgain = true;
    const word = kind === "enqueue" ? "EnQueued" : "DeQueued";
    for (const _ of "123") inbox.hearAnswer(JSON.stringify({ player_id: "p1", result_type: word }));
    assert.equal(message.heard?.result_type, word);
    inbox.close(message);
  }
  const refused = asked(inbox);
  refused.askedAgain = true;
  for (const _ of "123") inbox.hearAnswer(JSON.stringify(NEWS.refused));
  assert.equal(inbox.waiting.size, 0, "a refused request is not asked again");
  assert.deepEqual(await read(inbox.news), []);
});

test("an answer that comes when nobody waits for it any longer is news, once", async () => {
  const inbox = new Inbox(10);
  const message = asked(inbox);
  message.askedAgain = true;
  inbox.close(message);
  assert.equal(inbox.waiting.size, 0, "it may never have been done");
  for (const _ of "123") inbox.hearAnswer(JSON.stringify(NEWS.queued));
  assert.equal(inbox.waiting.size, 1);
  assert.deepEqual(await read(inbox.news), [NEWS.queued]);
});

test("what a status says is news once, whether its own message comes before or behind it", async () => {
  for (const news of [NEWS.expired, NEWS.found, LEFT]) {
    for (const isFirst of [true, false]) {
      const inbox = new Inbox(10);
      asked(inbox);
      inbox.hearAnswer(JSON.stringify(NEWS.queued));
      if (isFirst) inbox.handOut(structuredClone(news) as Answer, true);
      inbox.hearAnswer(JSON.stringify(news));
      if (!isFirst) assert.equal(inbox.waiting.size, 0, "who waits no more is not asked for");
      assert.deepEqual(await read(inbox.news), [news]);
    }
  }
});

test("a player who waits once more is told the same once more, but for a match", async () => {
  const inbox = new Inbox(20);
  for (const _ of "12") {
    for (const news of [LEFT, NEWS.expired, NEWS.found]) {
      asked(inbox);
      inbox.hearAnswer(JSON.stringify(NEWS.queued));
      inbox.hearAnswer(JSON.stringify(news));
    }
  }
  assert.deepEqual(await read(inbox.news), [LEFT, NEWS.expired, NEWS.found, LEFT, NEWS.expired]);
});

test("an enqueue that another process asked for before is answered by what came of it", async () => {
  for (const news of [NEWS.expired, NEWS.found, LEFT]) {
    const inbox = new Inbox(10);
    const message = new Message("enqueue", "p1", "enqueue of p1", { game_mode: "Squad" }, true);
    inbox.open(message);
    inbox.hearAnswer(JSON.stringify(news));
    assert.deepEqual(message.heard, news);
    assert.deepEqual(await read(inbox.news), [news]);
  }
});

test("who waits elsewhere, or is in a match that is handed over, waits", () => {
  for (const [code, count] of [["already_in_queue", 1], ["match_pending", 1], ["queue_full", 0]] as const) {
    const inbox = new Inbox(10);
    asked(inbox);
    inbox.hearAnswer(JSON.stringify({ player_id: "p1", result_type: { Error: { code, message: "" } } }));
    assert.equal(inbox.waiting.size, count, code);
  }
});

test("what comes late and says that somebody waits is news, once", async () => {
  const already = { player_id: "p1", result_type: { Error: { code: "already_in_queue", message: "" } } };
  for (const [first, second] of [[NEWS.queued, already], [already, NEWS.queued]]) {
    const inbox = new Inbox(10);
    for (const each of [first, second, first]) inbox.hearAnswer(JSON.stringify(each));
    assert.equal(inbox.waiting.size, 1);
    assert.deepEqual(await read(inbox.news), [first]);
  }
});

test("an answer to a question goes to who asked, and is no news", async () => {
  const inbox = new Inbox(10);
  const message = new Message("handoff", "t1", "status of p1", {});
  inbox.open(message);
  for (const token of ["t0", undefined, "t1"]) {
    inbox.hearAnswer(JSON.stringify({ player_id: "p1", result_type: { Status: { state: "unknown", token } } }));
  }
  assert.deepEqual(message.heard?.result_type, { Status: { state: "unknown", token: "t1" } });
  assert.deepEqual(await read(inbox.news), []);
});

test("who is taken out by somebody else hears so", async () => {
  const inbox = new Inbox(10);
  asked(inbox);
  inbox.hearAnswer(JSON.stringify(NEWS.queued));
  const left = { player_id: "p1", result_type: "DeQueued" };
  inbox.hearAnswer(JSON.stringify(left));
  assert.equal(inbox.waiting.size, 0);
  assert.deepEqual(await read(inbox.news), [left]);
});

test("what is not read in time makes room", async () => {
  const inbox = new Inbox(2);
  for (const each of [NEWS.expired, NEWS.found, NEWS.expired]) inbox.hearAnswer(JSON.stringify(each));
  assert.deepEqual(await read(inbox.news), [NEWS.found, NEWS.expired]);
});
