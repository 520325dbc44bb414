import { Redis } from "ioredis";

/** Between two attempts to connect, at most; at least half of it. */
const PAUSE_MS = 800;

/** Is told what happens on a connection. */
export interface Ear {
  hear(channel: string, text: string): void;
  /** All channels are heard, from now on until `lost`. */
  listening(): void;
  lost(why: Error): void;
}

/** One connection to Redis, to say and to hear (RESP 3). It comes back by itself. What is said while it is away fails
 *  at once. A Redis that does not answer within `timeoutMs` counts as away. */
export class Connection {
  readonly #redis: Redis;
  #isHeard = false;
  #trouble = new Error("there is no connection yet");

  constructor(
    url: string,
    name: string,
    timeoutMs: number,
    readonly channels: readonly string[],
    readonly ear: Ear,
  ) {
    this.#redis = new Redis(url.replace(/^valkey(s?):/, (_, s: string) => `redi${s}s:`), {
      protocol: 3,
      connectionName: name,
      connectTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      retryStrategy: () => PAUSE_MS * (0.5 + Math.random() / 2),
      reconnectOnError: (error) => {
        const isReplica = error.message.startsWith("READONLY"); // the address may lead to another server now
        if (isReplica) this.#trouble = error;
        return isReplica;
      },
      // Whether something is sent again is decided by who asks.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      enableReadyCheck: false, // it would need the right to INFO
    });
    this.#redis.on("message", (channel: string, text: string) => ear.hear(channel, text));
    this.#redis.on("error", (error: Error) => (this.#trouble = error));
    this.#redis.on("ready", () => void this.#listen());
    this.#redis.on("close", () => this.#lose());
  }

  /** Why nothing is heard; undefined where all is well. */
  get trouble(): Error | undefined {
    return this.#isHeard ? undefined : this.#trouble;
  }

  /** Adds to a stream that exists: the id of the entry, or null where there is none. */
  async add(stream: string, kind: string, body: string): Promise<string | null> {
    if (!this.#isHeard) throw this.#trouble;
    return this.#redis.xadd(stream, "NOMKSTREAM", "*", "kind", kind, "body", body);
  }

  publish = (channel: string, text: string): Promise<number> => this.#redis.publish(channel, text);

  close = (): void => this.#redis.disconnect();

  async #listen(): Promise<void> {
    try {
      await this.#redis.subscribe(...this.channels);
    } catch (error) {
      this.#trouble = error as Error;
      return this.#redis.disconnect(true);
    }
    this.#trouble = new Error("the connection was closed");
    this.#isHeard = true;
    this.ear.listening();
  }

  #lose(): void {
    if (this.#isHeard) this.ear.lost(this.#trouble);
    this.#isHeard = false;
  }
}
