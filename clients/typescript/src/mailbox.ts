/** What was heard and not read yet, at most `size`: the oldest makes room for the newest. */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #readers: Array<() => void> = [];
  #isClosed = false;

  constructor(readonly size: number) {}

  put(item: T): void {
    if (this.#items.length >= this.size) this.#items.shift();
    this.#items.push(item);
    this.#readers.shift()?.();
  }

  /** Ends all loops over it. */
  close(): void {
    this.#isClosed = true;
    for (const wake of this.#readers) wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    while (!this.#isClosed) {
      if (this.#items.length > 0) yield this.#items.shift() as T;
      else await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }
}
