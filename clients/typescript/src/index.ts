export { GameServer, type GameServerOptions, Offer } from "./game-server.js";
export { RefusedError, UnansweredError, playersOf, wordOf } from "./messages.js";
export type { Answer, BattlePlayer, BattleRequest, MatchFound } from "./wire.js";
