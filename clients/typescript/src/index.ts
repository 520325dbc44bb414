export { GameServer, type GameServerOptions, Offer, type StatusAnswer } from "./game-server.js";
export { RefusedError, UnansweredError, playersOf, wordOf } from "./messages.js";
export type { Answer, BattlePlayer, BattleRequest, MatchFound, Status } from "./wire.js";
