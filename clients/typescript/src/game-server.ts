import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Asking, Message } from "./asking.js";
import { Connection } from "./connection.js";
import { Inbox } from "./inbox.js";
import { type Heard, RefusedError, UnansweredError, checkId, playersOf } from "./messages.js";
import type * as wire from "./wire.js";
import type { Answer, BattlePlayer, BattleRequest, HandoffKind } from "./wire.js";

const HEARTBEAT_MS = 5_000;
const BYE_MS = 2_000;
/** Questions under way for what was missed, and the pause before one without an answer is asked again. */
const MISSED_AT_ONCE = 200;
const MISSED_PAUSE_MS = 1_000;
/** States of players of whom there will be news. */
const COMING = ["waiting", "pending"];

export interface GameServerOptions {
  /** The name of this game server, the same after a restart: answers and news go to it. */
  readonly podId: string;
  /** That of the servers, as `matchmaking.realm` says there. */
  readonly realm?: string | undefined;
  /** Names of channels and of the stream, where the servers have others. */
  readonly battleRequestChannel?: string | undefined;
  readonly handoffRequestChannel?: string | undefined;
  readonly requestStream?: string | undefined;
  /** With `{pod_id}` where the pod's name stands. */
  readonly matchResultChannel?: string | undefined;
  /** Redis that does not answer for so long counts as away. */
  readonly timeoutMs?: number | undefined;
  /** How many messages may stand in the stream while no server answers. */
  readonly maxWaitingRequests?: number | undefined;
  /** How many offers, and how much news, are kept until they are read. */
  readonly inboxSize?: number | undefined;
  /** Is told when Redis is heard, and when it is lost, with the reason. */
  readonly onConnection?: (isHeard: boolean, why?: Error) => void;
}

export interface EnqueueOptions {
  /** One of your own, for a wish that counts once whichever process asks. If it is over, that comes by `results`. */
  readonly requestId?: string | undefined;
  /** The W3C Trace Context of whoever asks. */
  readonly traceparent?: string | undefined;
}

/** A player of a party, who is told on this pod. */
export type Member = Pick<wire.PartyPlayer, "player_id" | "metadata">;

/** Where a player is; for players of a party `party_id` stands there, too. */
export type StatusAnswer = Answer & { result_type: { Status: wire.Status } };

/** With the start: `assignment` is told to all players of the match, such as an address; a secret to its player. */
export type Told = Pick<wire.HandoffRequest, "assignment" | "secrets">;

/** A match offered to this game server. Its methods throw RefusedError and UnansweredError; call them again then. */
export class Offer {
  /** A message has the same token however often it is sent. */
  readonly #messages = new Map<HandoffKind, Message>();

  constructor(
    readonly request: BattleRequest,
    private readonly podId: string,
    private readonly ask: (message: Message) => Promise<Heard>,
  ) {}

  /** All players, team after team. */
  get players(): BattlePlayer[] {
    return playersOf(this.request);
  }

  /** Takes the match for `request.lease_seconds`. False: another has it, or it is too late. */
  claim = (): Promise<boolean> => this.#hand("claim", "claimed");

  /** Confirms the start, as durably as the servers want it. False: do not start, the players are back in the queue. */
  started = (told: Told = {}): Promise<boolean> => this.#hand("confirm", "started", told);

  /** Claims and confirms in one, for a game server that needs no time to get ready. */
  start = (told: Told = {}): Promise<boolean> => this.#hand("start", "started", told);

  /** Gives a claimed match back, so that another server is asked at once. */
  decline = (): Promise<boolean> => this.#hand("decline", "declined");

  async #hand(kind: HandoffKind, hoped: wire.Handoff["reply"], told: Told = {}): Promise<boolean> {
    const { match_id, game_mode, epoch = 0 } = this.request;
    const body = { kind, pod_id: this.podId, game_mode, match_id, epoch, token: newToken(), ...told };
    const message = this.#messages.get(kind) ?? new Message("handoff", body.token, `${kind} of ${match_id}`, body);
    this.#messages.set(kind, message);
    try {
      const heard = (await this.ask(message)) as wire.HandoffAnswer;
      return heard.result_type.Handoff.reply === hoped;
    } catch (error) {
      if (message.heard !== undefined) this.#messages.delete(kind); // it was not done: the next one is a new one
      throw error;
    }
  }
}

/** One game server process. It listens for offers and for the results of its players, sends heartbeats, and connects
 *  again by itself. What it asks goes through the durable stream with an id of its own, and again without an answer. */
export class GameServer implements AsyncDisposable {
  readonly podId: string;
  readonly #connection: Connection;
  readonly #asking: Asking;
  readonly #inbox: Inbox;
  readonly #handoffs: string;
  readonly #heartbeats: NodeJS.Timeout;
  #timesHeard = 0;

  /** Returns once offers and results are heard. Throws UnansweredError after `timeoutMs` (10,000). */
  static async connect(url: string, options: GameServerOptions): Promise<GameServer> {
    const { timeoutMs = 10_000 } = options;
    let server!: GameServer;
    const heard = new Promise<void>((resolve) => (server = new GameServer(url, options, timeoutMs, resolve)));
    await Promise.race([heard, sleep(timeoutMs, undefined, { ref: false })]);
    if (server.#timesHeard > 0) return server;
    const cause = server.#connection.trouble;
    await server.close();
    const why = `within ${timeoutMs} ms (${cause?.message}). Check that it runs and that the URL points to it.`;
    throw new UnansweredError(`Redis was not heard ${why}`, { cause });
  }

  private constructor(url: string, options: GameServerOptions, timeoutMs: number, heard: () => void) {
    const inRealm = (name: string): string => (options.realm ? `${name}:{${options.realm}}` : name);
    const offers = inRealm(options.battleRequestChannel ?? "battle:request");
    const results = options.matchResultChannel ?? "pod:{pod_id}:match_result";
    const stream = inRealm(options.requestStream ?? "match:requests");
    checkId("pod_id", options.podId);
    this.podId = options.podId;
    this.#handoffs = inRealm(options.handoffRequestChannel ?? "match:handoff:request");
    this.#inbox = new Inbox(options.inboxSize ?? 10_000);
    this.#asking = new Asking((...said) => this.#connection.add(stream, ...said), options.maxWaitingRequests ?? 10_000);
    const channels = [offers, inRealm(results.replaceAll("{pod_id}", () => this.podId))];
    this.#connection = new Connection(url, `pod-${this.podId}`.replaceAll(" ", "_"), timeoutMs, channels, {
      hear: (channel, text) => {
        if (channel === offers) return this.#inbox.hearOffer(text);
        this.#asking.heard();
        this.#inbox.hearAnswer(text);
      },
      listening: () => {
        this.#listening();
        heard();
        options.onConnection?.(true);
      },
      lost: (why) => options.onConnection?.(false, why),
    });
    this.#heartbeats = setInterval(() => void this.#say("heartbeat"), HEARTBEAT_MS);
  }

  /** Says goodbye, and ends all loops over offers and results. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeats);
    this.#timesHeard = 0;
    this.#asking.close();
    await Promise.race([this.#say("bye"), sleep(BYE_MS, undefined, { ref: false })]); // or silence says it, later
    this.#connection.close();
    this.#inbox.offers.close();
    this.#inbox.news.close();
  }

  [Symbol.asyncDispose] = (): Promise<void> => this.close();

  /** Puts a player into the queue of a mode; done once the player is in Redis. Throws RefusedError, UnansweredError. */
  async enqueue(player: string, mode: string, metadata: object = {}, options?: EnqueueOptions): Promise<void> {
    await this.#request("enqueue", [player], mode, { player_id: player, metadata }, options);
  }

  /** The same for players who stay together, in this order: all, or nobody. Who is dequeued takes all out. */
  async enqueueParty(party: string, players: Member[], mode: string, options?: EnqueueOptions): Promise<void> {
    checkId("party", party);
    const ids = players.map((each) => each.player_id);
    await this.#request("enqueue", ids, mode, { party_id: party, players }, options);
  }

  /** Takes a player out of a queue. Throws RefusedError (`not_in_queue`, `match_pending`), UnansweredError. */
  async dequeue(player: string, mode: string): Promise<void> {
    await this.#request("dequeue", [player], mode, { player_id: player });
  }

  /** Where a player of the realm is, whichever pod asked. News of who waits comes by `results` from then on. */
  async status(player: string): Promise<StatusAnswer> {
    checkId("player_id", player);
    const body = { kind: "status", pod_id: this.podId, player_id: player, token: newToken() };
    const found = (await this.#ask(new Message("handoff", body.token, `status of ${player}`, body))) as StatusAnswer;
    if (COMING.includes(found.result_type.Status.state)) this.#inbox.waits(player);
    return found;
  }

  /** Matches offered to this game server, as they come. */
  async *offers(): AsyncGenerator<Offer, void> {
    for await (const request of this.#inbox.offers) yield new Offer(request, this.podId, this.#ask);
  }

  /** `MatchFound`, `Expired` and other news of players, also what was missed. `Status`: nothing is known, ask anew. */
  results = (): AsyncIterable<Answer> => this.#inbox.news;

  /** Each player is answered; the last answer is waited for. */
  async #request(kind: "enqueue" | "dequeue", players: string[], mode: string, said: object, opts?: EnqueueOptions) {
    const { requestId, traceparent } = opts ?? {};
    const body = { game_mode: mode, pod_id: this.podId, request_id: requestId ?? newToken(), traceparent, ...said };
    for (const player of players) checkId("player_id", player);
    const messages = players.map((player) => new Message(kind, player, `${kind} of ${player}`, body, !!requestId));
    const last = messages.pop();
    if (last === undefined) throw new RefusedError("invalid_party", "A party has players");
    for (const each of messages) this.#inbox.open(each);
    await this.#ask(last).finally(() => messages.forEach((each) => this.#inbox.close(each)));
  }

  readonly #ask = (message: Message): Promise<Heard> => {
    this.#inbox.open(message);
    return this.#asking.ask(message).finally(() => this.#inbox.close(message));
  };

  #listening(): void {
    void this.#say("heartbeat");
    this.#timesHeard += 1;
    if (this.#timesHeard === 1) return;
    this.#asking.listening();
    const waiting = [...this.#inbox.waiting].values();
    for (let n = 0; n < MISSED_AT_ONCE; n++) void this.#catchUp(waiting, this.#timesHeard);
  }

  /** Asks where players are who wait: what became of them may have been told while nobody listened. */
  async #catchUp(waiting: Iterable<[string, object]>, time: number): Promise<void> {
    for (const [player, wish] of waiting) {
      while (time === this.#timesHeard && this.#inbox.waiting.get(player) === wish) {
        const found = await this.status(player).catch(() => sleep(MISSED_PAUSE_MS, undefined, { ref: false }));
        if (found === undefined || this.#inbox.waiting.get(player) !== wish) continue;
        const { state, news } = found.result_type.Status;
        if (!COMING.includes(state)) this.#inbox.handOut(news ? { ...found, result_type: news } : found, true);
        break;
      }
    }
  }

  /** Of itself, by Pub/Sub: the next one makes good what is lost. */
  async #say(kind: "heartbeat" | "bye"): Promise<void> {
    const said = JSON.stringify({ kind, pod_id: this.podId });
    await this.#connection.publish(this.#handoffs, said).catch(() => undefined);
  }
}

const newToken = (): string => randomBytes(8).toString("hex");
