// The stream of snapshots: comes back by itself, and knows how old the last one is.

const RETRY_MS = 2000;
const OLD_MS = 4000;

export class Live {
  constructor({ onEvent, onState }) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.heardAt = null;
    this.state = "connecting";
    this.open();
    setInterval(() => this.tick(), 1000);
  }

  open() {
    this.source?.close();
    this.source = new EventSource("api/v1/live");
    for (const name of ["live", "hour", "events"]) {
      this.source.addEventListener(name, (message) => this.hear(name, JSON.parse(message.data)));
    }
    this.source.addEventListener("error", () => this.failed());
  }

  hear(name, data) {
    const back = this.state !== "live";
    this.heardAt = performance.now();
    this.state = "live";
    this.onEvent(name, data, back);
    if (back) this.tick();
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
    if (this.state === "live" && age > OLD_MS) this.state = "silent";
    this.onState(this.state, age);
  }
}
