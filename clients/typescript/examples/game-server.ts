/** A game server: it enqueues its players, takes matches and starts them. docs/conformance.md says what stands in its
 *  environment, and what it is told, a line each: {"enqueue": {"player_id": "p1", "game_mode": "Squad"}} */
import { createInterface } from "node:readline";
import { GameServer, type Offer, RefusedError, UnansweredError, wordOf } from "matchkeeper-client";

const say = (line: object) => console.log(JSON.stringify(line));
const pod = await GameServer.connect(process.env.REDIS_URL ?? "redis://localhost:6379", {
  podId: process.env.POD_ID ?? `pod-${process.pid}`,
  battleRequestChannel: process.env.BATTLE_CHANNEL, matchResultChannel: process.env.RESULT_CHANNEL,
  handoffRequestChannel: process.env.HANDOFF_CHANNEL, requestStream: process.env.REQUEST_STREAM,
});

/** Claims, prepares, confirms, and only then starts. */
async function play(offer: Offer): Promise<void> {
  if (!(await offer.claim())) return; // another pod was faster
  // Here a real server would load the map. If that fails: await offer.decline()
  if (await offer.started()) say({ started: offer.request.match_id }); // else the players are back in the queue
}

async function wish({ enqueue, dequeue }: Record<string, any>): Promise<void> {
  const { player_id, game_mode, metadata, request_id } = enqueue ?? dequeue;
  try {
    if (enqueue) await pod.enqueue(player_id, game_mode, metadata, { requestId: request_id });
    else await pod.dequeue(player_id, game_mode);
    say({ told: player_id, news: enqueue ? "EnQueued" : "DeQueued" });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    say({ told: player_id, news: error.code });
  }
}

async function all<T>(things: AsyncIterable<T>, treat: (thing: T) => Promise<void>): Promise<void> {
  const again = (thing: T): Promise<void> =>
    treat(thing).catch((error) => (error instanceof UnansweredError ? again(thing) : console.error(error)));
  for await (const thing of things) void again(thing); // what was not answered may be done: the same again
}
void all(pod.offers(), play);
void all(pod.results(), async (news) => say({ told: news.player_id, news: wordOf(news.result_type) }));
await all(createInterface({ input: process.stdin }), async (line) => wish(JSON.parse(line)));
await pod.close();
