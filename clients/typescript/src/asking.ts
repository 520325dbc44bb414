import timers from "node:timers/promises";
import { type Heard, RefusedError, UnansweredError } from "./messages.js";

/** When it is sent again, in milliseconds since the first time; at the last of them it is given up. */
const AGAIN_AT_MS = [1_000, 3_000, 7_000, 15_000];
/** What could not be written is tried again after so long. */
const UNWRITTEN_MS = 1_000;
const PROBE_MS = 1_000;

/** The word of the answer once it is done. */
export const DONE = { enqueue: "EnQueued", dequeue: "DeQueued", handoff: "Handoff" };

/** A message to the servers, which knows its answer. Sent again it is the same, by its `request_id` or `token`. */
export class Message {
  readonly answer: Promise<Heard>;
  /** The answer, once it came. */
  heard: Heard | undefined;
  /** The id that the stream gave to it the first time: what a request repeats when it is sent again. */
  entryId = "";
  /** It was sent before, so an answer may have been lost. */
  askedAgain: boolean;
  #resolve!: (heard: Heard) => void;

  constructor(
    readonly kind: keyof typeof DONE,
    /** By which its answer is known: a player, or a token. */
    readonly name: string,
    readonly about: string,
    readonly body: { readonly game_mode?: string; readonly pod_id?: string },
    /** Perhaps by another process: what came of it may be over. */
    readonly askedBefore = false,
  ) {
    this.askedAgain = askedBefore;
    this.answer = new Promise((resolve) => (this.#resolve = resolve));
  }

  meet(heard: Heard): void {
    this.#resolve((this.heard = heard));
  }

  text(): string {
    const repeats = this.entryId !== "" && this.kind !== "handoff";
    return JSON.stringify(repeats ? { ...this.body, repeats: this.entryId } : this.body);
  }
}

/** Throws RefusedError, and UnansweredError where it was not done this time. */
export function unlessRefused(heard: Heard, about: string): Heard {
  const result = heard.result_type;
  if (typeof result === "string") return heard;
  if ("Error" in result) throw new RefusedError(result.Error.code, result.Error.message);
  if (!("Handoff" in result) || !result.Handoff.message) return heard;
  const { reply, message } = result.Handoff;
  const mayBeDone = reply === "internal_error" || reply === "not_durable"; // when it is asked again
  throw mayBeDone ? new UnansweredError(`The ${about} was not done: ${message}`) : new RefusedError(reply, message);
}

/** Sends messages: written to the stream, and again until they are answered. While no server answers, `limit` of them
 *  may stand in the stream; then one a second is let through, to find out. */
export class Asking {
  readonly #pauses = new Set<AbortController>();
  /** How many were written since a server was heard last. */
  #unheard = 0;
  #probeAt = -Infinity;
  #sawStream = false;
  #isClosed = false;

  constructor(
    /** Adds an entry to the stream of requests: its id, or null where there is no stream. */
    readonly write: (kind: string, body: string) => Promise<string | null>,
    readonly limit: number,
    /** Milliseconds, of a clock that never goes back. */
    readonly now = (): number => performance.now(),
  ) {}

  /** A server has answered something. */
  heard(): void {
    this.#unheard = 0;
  }

  /** Answers may have been missed, and are heard from now on: what waits for one is sent again at once. */
  listening(): void {
    for (const pause of this.#pauses) pause.abort();
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.listening();
  }

  /** The answer. Throws RefusedError, and UnansweredError without one. */
  async ask(message: Message): Promise<Heard> {
    const begun = this.now();
    let trouble: Error | undefined;
    for (const atMs of AGAIN_AT_MS) {
      for (;;) {
        const left = Math.ceil(begun + atMs - this.now());
        if (left <= 0) break;
        trouble = await this.send(message);
        await this.#within(trouble ? Math.min(left, UNWRITTEN_MS) : left, message.answer);
        if (message.heard !== undefined) return unlessRefused(message.heard, message.about);
        message.askedAgain = true;
      }
    }
    const why = trouble ? ` (${trouble.message})` : "";
    const hint = "It counts once a Matchkeeper server runs; or it was done, and the news was lost. Ask again.";
    throw new UnansweredError(`No answer to the ${message.about}${why}. ${hint}`, { cause: trouble });
  }

  /** Sends once; returns what was in the way. Throws RefusedError. */
  async send(message: Message): Promise<Error | undefined> {
    if (this.#isClosed) throw new RefusedError("closed", "This game server is closed");
    if (this.#unheard >= this.limit) {
      if (this.now() < this.#probeAt) throw new RefusedError("backlog_full", "No server answers; is one running?");
      this.#probeAt = this.now() + PROBE_MS;
    }
    const entryId = await this.write(message.kind, message.text()).catch((error: Error) => error);
    if (entryId instanceof Error) return entryId; // Redis is away, or the stream is damaged, which servers mend
    if (entryId === null) {
      if (this.#sawStream) return new Error("there is no stream of requests until a server makes it anew");
      throw new RefusedError("no_server", "No Matchkeeper server was ever on this Redis");
    }
    this.#sawStream = true;
    message.entryId ||= entryId;
    this.#unheard += 1;
    return undefined;
  }

  /** Waits for the answer so long, or until it has to be asked anew. */
  async #within(milliseconds: number, answer: Promise<unknown>): Promise<void> {
    const pause = new AbortController();
    this.#pauses.add(pause);
    void answer.then(() => pause.abort());
    await timers.setTimeout(milliseconds, undefined, { signal: pause.signal }).catch(() => undefined);
    this.#pauses.delete(pause);
  }
}
