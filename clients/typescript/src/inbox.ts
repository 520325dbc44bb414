import { DONE, type Message } from "./asking.js";
import { Mailbox } from "./mailbox.js";
import { type Result, answerIn, offerIn, wordOf } from "./messages.js";
import type { Answer, BattleRequest } from "./wire.js";

const MOST_PLAYERS = 100_000;

/** What this game server hears: offers and news to be read, and answers, each to the message that it belongs to. */
export class Inbox {
  readonly offers: Mailbox<BattleRequest>;
  readonly news: Mailbox<Answer>;
  /** Messages that are not answered yet. */
  readonly open = new Messages();
  /** The latest requests of players who wait, as far as was told, and those whose answer may come once more. */
  readonly #latest = new Messages();

  constructor(size: number) {
    this.offers = new Mailbox(size);
    this.news = new Mailbox(size);
  }

  hearOffer(text: string): void {
    const offer = offerIn(text);
    if (offer !== undefined) this.offers.put(offer);
  }

  hearAnswer(text: string): void {
    const answer = answerIn(text);
    if (answer === undefined) return;
    const isOfPlayer = "player_id" in answer;
    const result = answer.result_type;
    const name = isOfPlayer ? answer.player_id : answer.result_type.Handoff.token;
    if (this.#isTaken(name, result) || !isOfPlayer) return;
    if (this.#isNews(name, result)) this.news.put(answer);
  }

  /** Nobody waits for the answer to a message any longer. */
  close(message: Message): void {
    this.open.remove(message.name, (each) => each === message);
    if (message.result === undefined) this.#keep(message);
  }

  /** What to ask again where news may have been missed: the answers say what has become of the players who wait. */
  missed(): Message[] {
    // One whose entry is not known might be done as a new one.
    return [...this.#latest.values()].flat().filter((each) => each.result === "EnQueued" && each.entryId !== "");
  }

  /** Whether it is the answer to a message, and so no news. */
  #isTaken(name: string, result: Result): boolean {
    const word = wordOf(result);
    for (const message of this.open.of(name)) {
      if (message.result !== undefined) continue;
      if (word === DONE[message.kind] || (word === "Error" && message.kind !== "handoff")) {
        message.meet(result);
        this.#keep(message);
        return true;
      }
      if (explains(message, result)) message.meet(result);
    }
    return false;
  }

  #keep(message: Message): void {
    if (message.kind === "handoff") return;
    this.#latest.remove(message.name, (each) => isOfMode(each, message.body.game_mode));
    if (message.result === "EnQueued" || message.askedAgain) this.#latest.add(message);
    const [oldest] = this.#latest.keys();
    if (this.#latest.size > MOST_PLAYERS && oldest !== undefined) this.#latest.delete(oldest);
  }

  /** Whether an answer that nobody waits for is news. Whoever is told of a match, or of the end, waits no longer. */
  #isNews(player: string, result: Result): boolean {
    const word = wordOf(result);
    const asked = this.#latest.of(player).find((each) => word === DONE[each.kind] || word === "Error");
    if (asked === undefined) {
      if (word !== "Error") this.#latest.remove(player, (each) => each.kind === "enqueue");
      return true;
    }
    const isFirst = asked.result === undefined; // it comes late, else it was sent again and is answered again
    if (isFirst) asked.meet(result);
    return isFirst;
  }
}

/** Messages by their name, in their order. */
class Messages extends Map<string, Message[]> {
  of(name: string): Message[] {
    return this.get(name) ?? [];
  }

  add(message: Message): void {
    this.set(message.name, [...this.of(message.name), message]);
  }

  remove(name: string, isGone: (message: Message) => boolean): void {
    const left = this.of(name).filter((message) => !isGone(message));
    if (left.length > 0) this.set(name, left);
    else this.delete(name);
  }
}

/** `Normal` and `NORMAL` are the same. */
function isOfMode(request: Message, mode: string): boolean {
  return request.body.game_mode.toLowerCase() === mode.toLowerCase();
}

/** Whether only the request can explain this news: a match in its mode, after an `EnQueued` that was lost. */
function explains(request: Message, result: Result): boolean {
  if (!request.askedAgain || request.kind !== "enqueue" || typeof result === "string") return false;
  return "MatchFound" in result && isOfMode(request, result.MatchFound.game_mode);
}
