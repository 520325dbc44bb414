import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Asking, Message } from "../src/asking.js";
import { RefusedError, UnansweredError } from "../src/messages.js";

/** Time stands still but for `after`. What is written is kept; `stream` says what comes of it. */
function fixture(t: TestContext, { limit = 100, stream = (): string | null => "1-1" } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const written: Array<{ atMs: number; body: Record<string, unknown> }> = [];
  const write = async (_kind: string, body: string): Promise<string | null> => {
    const entry = stream();
    written.push({ atMs: Date.now(), body: JSON.parse(body) });
    return entry;
  };
  const asking = new Asking(write, limit, () => Date.now());
  const after = async (milliseconds: number): Promise<void> => {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(100);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  const ask = (message = request()) => asking.ask(message).catch((error: unknown) => error);
  return { asking, written, after, ask };
}

function request(kind: "enqueue" | "handoff" = "enqueue"): Message {
  return new Message(kind, "p1", "enqueue of p1", { game_mode: "Squad" });
}

test("it asks again at longer and longer intervals, then gives up", async (t) => {
  const { after, ask, written } = fixture(t);
  const asked = ask();
  await after(20_000);
  assert.deepEqual(written.map((each) => each.atMs), [0, 1_000, 3_000, 7_000]);
  const error = await asked;
  assert.ok(error instanceof UnansweredError);
  assert.match(error.message, /No answer to the enqueue of p1\. .*Ask again/);
});

test("a request that is sent again names the entry that it repeats, a message about a match does not", async (t) => {
  let entries = 0;
  const { after, ask, written } = fixture(t, { stream: () => `${(entries += 1)}-0` });
  void ask();
  await after(3_000);
  assert.deepEqual(written.map((each) => each.body.repeats), [undefined, "1-0", "1-0"]);
  written.length = 0;
  void ask(request("handoff"));
  await after(1_000);
  assert.deepEqual(written.map((each) => each.body), [{ game_mode: "Squad" }, { game_mode: "Squad" }]);
});

test("the answer ends it", async (t) => {
  const { after, ask, written } = fixture(t);
  const message = request();
  const asked = ask(message);
  const answer = { player_id: "p1", result_type: "EnQueued" } as const;
  setTimeout(() => message.meet(answer), 1_500);
  await after(5_000);
  assert.equal(await asked, answer);
  assert.equal(message.askedAgain, true);
  assert.equal(written.length, 2);
});

test("once answers are heard again it asks at once", async (t) => {
  const { after, ask, asking, written } = fixture(t);
  void ask();
  await after(300);
  asking.listening();
  await after(100);
  assert.deepEqual(written.map((each) => each.atMs), [0, 300]);
});

test("what cannot be written is tried again each second, and the reason is told", async (t) => {
  let tries = 0;
  const stream = (): string => {
    tries += 1;
    throw new Error("NOPERM no right");
  };
  const { after, ask } = fixture(t, { stream });
  const asked = ask();
  await after(16_000);
  assert.equal(tries, 15);
  const error = await asked;
  assert.ok(error instanceof UnansweredError);
  assert.match(error.message, /NOPERM no right/);
});

test("without a stream there was never a server; one that was there comes back", async (t) => {
  let entry: string | null = null;
  const { after, ask } = fixture(t, { stream: () => entry });
  const refused = await ask();
  assert.ok(refused instanceof RefusedError);
  assert.equal(refused.code, "no_server");
  entry = "1-1";
  void ask();
  await after(100);
  entry = null;
  const asked = ask();
  await after(20_000);
  assert.ok((await asked) instanceof UnansweredError);
});

test("while no server answers the backlog has a bound, and one a second finds out", async (t) => {
  const { after, ask, asking, written } = fixture(t, { limit: 2 });
  void ask();
  void ask();
  await after(100);
  void ask(); // the first above the limit
  const refused = await ask();
  assert.ok(refused instanceof RefusedError);
  assert.equal(refused.code, "backlog_full");
  assert.equal(written.length, 3);
  asking.heard();
  void ask();
  await after(100);
  assert.equal(written.length, 4);
});

test("what cannot be JSON is told at once", async (t) => {
  const { asking, written } = fixture(t);
  const message = new Message("enqueue", "p1", "enqueue of p1", { game_mode: "Squad", ...{ big: 1n } });
  await assert.rejects(asking.ask(message), TypeError);
  assert.equal(written.length, 0);
});

test("an answer that says no is thrown, and one that may be yes the next time says so", async (t) => {
  const { after, ask } = fixture(t);
  const handed = { kind: "status", epoch: 0, token: "p1", message: "no" };
  for (const reply of ["invalid_player_id", "internal_error"] as const) {
    const message = request("handoff");
    const asked = ask(message);
    message.meet({ match_id: "", result_type: { Handoff: { ...handed, reply } } });
    await after(100);
    const error = await asked;
    assert.ok(error instanceof (reply === "internal_error" ? UnansweredError : RefusedError), reply);
  }
});

test("whoever waits when it is closed hears so", async (t) => {
  const { after, ask, asking } = fixture(t);
  const asked = ask();
  await after(100);
  asking.close();
  const error = await asked;
  assert.ok(error instanceof RefusedError);
  assert.equal(error.code, "closed");
});
