import type { Answer, BattlePlayer, BattleRequest, HandoffAnswer } from "./wire.js";

/** Matchkeeper, or this client in its place, refuses; `code` is one of the documented codes. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

/** No answer came in time. What was asked may be done, or will be: ask again. */
export class UnansweredError extends Error {
  override readonly name = "UnansweredError";
}

/** Throws where no server would take an id, and so could not name it in its answer. */
export function checkId(name: "player_id" | "party" | "pod_id", id: string): void {
  const isUsable = typeof id === "string" && /^[^\x00-\x1f\x7f-\x9f\p{Surrogate}]{1,128}$/u.test(id);
  if (!isUsable) throw new RefusedError(`invalid_${name}`, `${name} has 1 to 128 characters, none a control character`);
}

export type Heard = Answer | HandoffAnswer;
/** What an answer says: a word, or one with what belongs to it. */
export type Result = Heard["result_type"];

/** EnQueued, DeQueued, Expired, MatchFound, Error, Status or Handoff. */
export function wordOf(result: Result): string {
  return typeof result === "string" ? result : (Object.keys(result)[0] ?? "");
}

/** The code of an Error. */
export function codeOf(result: Result): string | undefined {
  return typeof result !== "string" && "Error" in result ? result.Error.code : undefined;
}

/** All players of a match, team after team. */
export function playersOf(offer: BattleRequest): BattlePlayer[] {
  return offer.teams?.flat() ?? [offer.player1, offer.player2].filter((player) => player != null);
}

/** An offer from its wire text; undefined where it is none. */
export function offerIn(text: string): BattleRequest | undefined {
  const found = parsed(text);
  if (!hasTexts(found, "match_id", "game_mode")) return undefined;
  const teams = found.teams ?? [];
  if (!Array.isArray(teams) || !teams.every(Array.isArray)) return undefined;
  const offer = found as unknown as BattleRequest;
  return playersOf(offer).every((player) => hasTexts(player, "player_id")) ? offer : undefined;
}

/** What must stand behind a word. */
const TEXTS: Record<string, string[]> = {
  MatchFound: ["match_id", "game_mode"], Error: ["code", "message"], Handoff: ["token", "reply"], Status: ["state"],
};

/** What a server answered, from its wire text; undefined where it is no answer. */
export function answerIn(text: string): Heard | undefined {
  const found = parsed(text);
  const result = hasTexts(found) ? found.result_type : undefined;
  const [[word, told] = ["", undefined]] = hasTexts(result) ? Object.entries(result) : [];
  if (typeof result !== "string" && !hasTexts(told, ...(TEXTS[word] ?? []))) return undefined;
  return hasTexts(found, word === "Handoff" ? "match_id" : "player_id") ? (found as unknown as Answer) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not a message of this wire
  }
}

/** Whether it is an object with these texts. */
function hasTexts(value: unknown, ...names: string[]): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "string");
}
