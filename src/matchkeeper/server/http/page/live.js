// The stream of snapshots: comes back by itself, and knows how old the last one is.
//
// A browser has six connections to a server (HTTP/1.1), and a stream keeps one. So a page that
// nobody sees keeps none: it only looks now and then, since its title tells what is wrong.

const RETRY_MS = 2000;
const OLD_MS = 4000;
const REST_MS = 15000;

export class Live {
  constructor({ onEvent, onState }) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.heardAt = null;
    this.state = "connecting";
    this.resting = false;
    this.fresh = new Map();
    this.drawing = this.back = false;
    this.open();
    document.addEventListener("visibilitychange", () => {
      if (this.resting && !document.hidden) this.open();
    });
    setInterval(() => this.tick(), 1000);
  }

  open() {
    clearTimeout(this.again);
    this.resting = false;
    this.openedAt = performance.now();
    this.source?.close();
    this.source = new EventSource("api/v1/live");
    for (const name of ["live", "hour", "events"]) {
      this.source.addEventListener(name, (message) => this.hear(name, message.data));
    }
    this.source.addEventListener("error", () => this.failed());
  }

  // Only the newest is drawn: a page that draws slower than it hears would fall behind, and look live.
  hear(name, text) {
    this.back ||= this.state !== "live";
    this.heardAt = performance.now();
    this.state = "live";
    this.fresh.set(name, text);
    if (name !== "live" || this.drawing) return; // the snapshot comes last
    this.drawing = true;
    setTimeout(() => this.draw(), 0);
  }

  draw() {
    const { back, fresh } = this;
    this.drawing = this.back = false;
    this.fresh = new Map();
    for (const [name, text] of fresh) this.onEvent(name, JSON.parse(text), back);
    if (back) this.tick();
    if (document.hidden && this.state === "live") this.rest();
  }

  rest() {
    this.source.close();
    this.resting = true;
    this.again = setTimeout(() => this.open(), REST_MS);
  }

  // The browser tries again after a lost connection, but not after an answer that is an error.
  failed() {
    this.state = this.heardAt === null ? "connecting" : "reconnecting";
    if (this.source.readyState === EventSource.CLOSED) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.open(), RETRY_MS);
    }
    this.tick();
  }

  // A connection may be there while the server behind it hangs.
  tick() {
    const age = this.heardAt === null ? null : performance.now() - this.heardAt;
    const waits = performance.now() - Math.max(this.heardAt, this.openedAt);
    if (this.state === "live" && !this.resting && waits > OLD_MS) this.state = "silent";
    this.onState(this.state, age);
  }
}
