// What stands on the wire. Made by `python -m matchkeeper.reference docs`; do not edit.

/** `pod:{pod_id}:match_result`. `result_type` is a word or an object of one key. */
export interface Answer {
  player_id: string;
  result_type:
    | "EnQueued"
    | "DeQueued"
    | "Expired"
    | { MatchFound: MatchFound }
    | { Error: Failure }
    | { Status: Status };
  party_id?: string | null;
  left_by?: string | null;
}

/** C in the wire table: one player of a battle request. */
export interface BattlePlayer {
  player_id: string;
  score: number;
  pod_id: string;
  metadata: Record<string, unknown>;
  party_id?: string | null;
  role?: string | null;
}

/** `battle:request`: a match is offered to all pods. */
export interface BattleRequest {
  match_id: string;
  game_mode: string;
  player1?: BattlePlayer | null;
  player2?: BattlePlayer | null;
  teams?: Array<Array<BattlePlayer>> | null;
  team_names?: Array<string> | null;
  region?: string | null;
  handoff?: string;
  epoch?: number;
  claim_within_seconds?: number;
  lease_seconds?: number;
  traceparent?: string;
}

/** `match:dequeue:request`: take a player out of the queue of a mode, and so the party that the player is in. */
export interface DequeueRequest {
  player_id: string;
  game_mode: string;
  pod_id?: string | null;
  request_id?: string | null;
  repeats?: string | null;
  party_id?: null;
}

/** `match:enqueue:request`: put a player into the queue of a mode. */
export interface EnqueueRequest {
  player_id: string;
  game_mode: string;
  pod_id: string;
  /** A JSON object, or a string that holds one. */
  metadata?: Record<string, unknown> | string;
  request_id?: string | null;
  /** W3C Trace Context. What is none is passed over. */
  traceparent?: string;
  repeats?: string | null;
  party_id?: null;
}

/** Why a request was refused. */
export interface Failure {
  code: string;
  message: string;
  because_of?: string | null;
}

/** What came of a message about a match; `kind`, `epoch` and `token` are of the message. */
export interface Handoff {
  kind: string;
  epoch: number;
  token: string;
  reply:
    | "claimed"
    | "started"
    | "declined"
    | "unknown_match"
    | "old_epoch"
    | "unknown_epoch"
    | "not_claimed"
    | "already_claimed"
    | "other_token"
    | "too_late"
    | "refused"
    | "not_durable"
    | "invalid_game_mode"
    | "already_in_queue"
    | "in_other_queue"
    | "match_pending"
    | "in_party"
    | "party_refused"
    | "party_does_not_fit"
    | "invalid_party"
    | "id_in_use"
    | "not_in_queue"
    | "mode_drained"
    | "queue_full"
    | "invalid_message_format"
    | "invalid_player_id"
    | "invalid_pod_id"
    | "invalid_metadata"
    | "missing_attribute"
    | "invalid_attribute"
    | "never_matched"
    | "metadata_too_large"
    | "message_too_large"
    | "message_too_deep"
    | "invalid_assignment"
    | "request_expired"
    | "internal_error";
  message?: string;
}

/** `pod:{pod_id}:match_result`: the answer to a message about a match. */
export interface HandoffAnswer {
  match_id: string;
  result_type: { Handoff: Handoff };
}

/** What a game server can say of a match. */
export type HandoffKind = "claim" | "confirm" | "decline" | "start";

/** `match:handoff:request`: what a game server does with a match that it was offered. */
export interface HandoffRequest {
  kind: HandoffKind;
  pod_id: string;
  game_mode: string;
  match_id: string;
  epoch: number;
  token: string;
  /** With confirm or start: what all players of the match are told, as it is. */
  assignment?: Record<string, unknown>;
  secrets?: Record<string, string>;
}

/** The player is in a match that starts. */
export interface MatchFound {
  opponent_id?: string | null;
  match_id: string;
  game_mode: string;
  team: number;
  teams?: Array<Array<string>> | null;
  parties?: Record<string, Array<string>> | null;
  team_names?: Array<string> | null;
  region?: string | null;
  role?: string | null;
  roles?: Record<string, string> | null;
  claimed_by: string | null;
  assignment?: Record<string, unknown> | null;
  secret?: string | null;
}

/** `match:dequeue:request`: take a party out of the queue of a mode. */
export interface PartyDequeueRequest {
  party_id: string;
  game_mode: string;
  pod_id?: string | null;
  request_id?: string | null;
  repeats?: string | null;
  player_id?: null;
}

/** A player of a party. */
export interface PartyPlayer {
  player_id: string;
  /** A JSON object, or a string that holds one. */
  metadata?: Record<string, unknown> | string;
  pod_id?: string | null;
}

/** `match:enqueue:request`: put players who stay together into the queue of a mode. */
export interface PartyRequest {
  party_id: string;
  players: Array<PartyPlayer>;
  game_mode: string;
  pod_id?: string | null;
  request_id?: string | null;
  /** W3C Trace Context. What is none is passed over. */
  traceparent?: string;
  repeats?: string | null;
  player_id?: null;
}

/** What a game server can say of itself. */
export type PodKind = "bye" | "heartbeat";

/** `match:handoff:request`: a game server lives, or leaves. */
export interface PodRequest {
  kind: PodKind;
  pod_id: string;
}

/** Where a player is. */
export interface Status {
  state: "waiting" | "pending" | "started" | "gone" | "unknown";
  token?: string;
  queues?: Array<Waiting>;
  match_id?: string | null;
  game_mode?: string | null;
  news?: "DeQueued" | "Expired" | { MatchFound: MatchFound } | { Error: Failure };
}

/** `match:handoff:request`: a game server asks where a player is. In which mode does not matter: a `game_mode` may stand there, too. */
export interface StatusRequest {
  kind: "status";
  pod_id: string;
  player_id: string;
  token?: string;
}

/** A queue that the player waits in. */
export interface Waiting {
  game_mode: string;
  since?: number | null;
}
