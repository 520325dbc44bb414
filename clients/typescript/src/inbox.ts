import { DONE, type Message } from "./asking.js";
import { Mailbox } from "./mailbox.js";
import { type Result, answerIn, codeOf, offerIn, wordOf } from "./messages.js";
import type { Answer, BattleRequest } from "./wire.js";

const MOST_PLAYERS = 100_000;
/** After these no more news of a player comes, until the next wish. */
const ENDS = ["MatchFound", "DeQueued", "Expired", "Status", "invalid_metadata"];
/** Answers to an enqueue after which news is to come. */
const WAITS = ["EnQueued", "already_in_queue", "match_pending", "in_party", "in_other_queue"];

/** What this game server hears: offers and news to be read, and answers, each to the message that it belongs to. */
export class Inbox {
  readonly offers: Mailbox<BattleRequest>;
  readonly news: Mailbox<Answer>;
  /** Messages that are not answered yet, by their name. */
  readonly #open = new Map<string, Message[]>();
  /** Players of whom news is to come; another wish is another object. */
  readonly waiting = new Map<string, object>();
  /** What was told last of a player, and apart from it the last match: both may be told once more. */
  readonly #told = new Map<string, string>();

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
    const result = answer.result_type;
    const isToToken = typeof result === "object" && ("Handoff" in result || "Status" in result);
    if (isToToken) {
      const { token = "" } = "Handoff" in result ? result.Handoff : result.Status;
      for (const message of this.#open.get(token) ?? []) message.meet(answer);
    } else if ("player_id" in answer && !this.#isTaken(answer)) this.handOut(answer);
  }

  /** Somebody waits for the answer to a message. */
  open(message: Message): void {
    this.#open.set(message.name, [...(this.#open.get(message.name) ?? []), message]);
    this.#told.delete(`last ${message.name}`);
  }

  /** Nobody does any longer. */
  close(message: Message): void {
    const left = this.#open.get(message.name)?.filter((each) => each !== message) ?? [];
    if (left.length > 0) this.#open.set(message.name, left);
    else this.#open.delete(message.name);
  }

  /** News of this player is to come. */
  waits(player: string): void {
    if (!this.waiting.has(player)) this.waiting.set(player, {});
  }

  /** Hands out news, unless it was. `isMadeUp`: it is told because of a status; its own message may still come. */
  handOut(answer: Answer, isMadeUp = false): void {
    const { player_id: player, result_type: result } = answer;
    const word = wordOf(result);
    const isMatch = typeof result !== "string" && "MatchFound" in result;
    const name = isMatch ? `match ${player}` : `last ${player}`;
    const text = isMatch ? result.MatchFound.match_id : JSON.stringify(answer);
    const what = codeOf(result) ?? word;
    const waits = WAITS.includes(what); // an answer that comes late, as does every Error
    if (this.#told.get(name) === text || (waits && this.waiting.has(player))) return;
    if (isMadeUp || word !== "Expired") this.#remember(name, text);
    if (waits) this.waits(player);
    if (ENDS.includes(what)) this.waiting.delete(player);
    this.news.put(answer);
  }

  /** Whether it is the answer to a request, and so no news. */
  #isTaken(answer: Answer): boolean {
    const { player_id: player, result_type: result } = answer;
    const word = wordOf(result);
    for (const message of this.#open.get(player) ?? []) {
      if (message.heard !== undefined) continue;
      if (word === DONE[message.kind] || word === "Error") {
        message.meet(answer);
        if (message.askedAgain) this.#remember(`last ${player}`, JSON.stringify(answer));
        if (message.kind === "enqueue" && WAITS.includes(codeOf(result) ?? word)) this.waits(player);
        if (word === "DeQueued") this.waiting.delete(player);
        return true;
      }
      if (explains(message, result)) message.meet(answer);
    }
    return false;
  }

  #remember(name: string, text: string): void {
    this.#told.delete(name);
    this.#told.set(name, text);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_PLAYERS && oldest !== undefined) this.#told.delete(oldest);
  }
}

/** Whether this is what has become of a player, which answers an enqueue that was asked for again. */
function explains(request: Message, result: Result): boolean {
  if (request.kind !== "enqueue") return false;
  if (typeof result === "string") return request.askedBefore && ENDS.includes(result);
  const mode = "MatchFound" in result ? result.MatchFound.game_mode : undefined;
  return request.askedAgain && mode?.toLowerCase() === request.body.game_mode?.toLowerCase();
}
