/** What was heard and not read yet, at most `size`: the oldest makes room for the newest. */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #readers: Array<(result: IteratorResult<T, undefined>) => void> = [];
  #isClosed = false;

  constructor(readonly size: number) {}

  put(item: T): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader({ done: false, value: item });
    if (this.#items.length >= this.size) this.#items.shift();
    this.#items.push(item);
  }

  /** Ends all loops over it. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => new Promise((resolve) => this.#read(resolve)) };
  }

  #read(reader: (result: IteratorResult<T, undefined>) => void): void {
    if (this.#isClosed) return reader({ done: true, value: undefined });
    const [item] = this.#items.splice(0, 1);
    if (item === undefined) this.#readers.push(reader);
    else reader({ done: false, value: item });
  }
}
