import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, unlessRefused } from "../src/asking.js";
import { Offer } from "../src/game-server.js";
import { RefusedError, UnansweredError } from "../src/messages.js";
import type { Handoff } from "../src/wire.js";

const REQUEST = { match_id: "m1", game_mode: "Squad", epoch: 2 };

/** An offer to which the servers give these replies, or none; what was said to them. */
function offered(...replies: Array<Partial<Handoff> | undefined>) {
  const said: Message[] = [];
  const offer = new Offer(REQUEST, "pod-a", async (message) => {
    said.push(message);
    const reply = replies.shift();
    if (reply === undefined) throw new UnansweredError("no answer");
    const came = { kind: "", epoch: 2, token: message.name, reply: "claimed", ...reply } as const;
    message.meet({ match_id: "m1", result_type: { Handoff: came } });
    return unlessRefused(message.heard!, message.about);
  });
  return { offer, said };
}

test("each message about a match has its token, and names match, epoch and pod", async () => {
  const { offer, said } = offered({ reply: "claimed" }, { reply: "started" });
  assert.equal(await offer.claim(), true);
  assert.equal(await offer.started({ assignment: { port: 1 }, secrets: { p1: "s" } }), true);
  const [claim, confirm] = said.map((message) => JSON.parse(message.text()));
  const { token, ...rest } = claim;
  assert.deepEqual(rest, { kind: "claim", pod_id: "pod-a", ...REQUEST });
  assert.notEqual(token, confirm.token);
  assert.deepEqual(confirm, {
    kind: "confirm", pod_id: "pod-a", ...REQUEST, token: confirm.token, assignment: { port: 1 }, secrets: { p1: "s" },
  });
});

test("any reply but the one that is hoped for means no", async () => {
  for (const reply of ["already_claimed", "too_late", "not_durable", "claimed"] as const) {
    assert.equal(await offered({ reply }).offer.started(), false, reply);
  }
});

test("what was not answered is said again as it was", async () => {
  const { offer, said } = offered(undefined, { reply: "started" });
  await assert.rejects(offer.start(), UnansweredError);
  assert.equal(await offer.start(), true);
  assert.equal(said[0], said[1]);
});

test("what was not done is said anew, under a new token", async () => {
  const failed: Partial<Handoff> = { reply: "internal_error", message: "a key of somebody else" };
  const refused: Partial<Handoff> = { reply: "invalid_assignment", message: "5000 bytes" };
  const { offer, said } = offered(failed, refused, { reply: "started" });
  await assert.rejects(offer.started(), UnansweredError);
  await assert.rejects(offer.started({ assignment: {} }), RefusedError);
  assert.equal(await offer.started(), true);
  assert.equal(new Set(said.map((message) => message.name)).size, 3);
});
