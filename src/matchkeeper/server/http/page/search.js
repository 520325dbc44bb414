// Where is this player now, and what happened to them?

import { call } from "./api.js";
import { byId, h, setText, show } from "./dom.js";
import { age, iso, plural, time } from "./format.js";
import { endButton } from "./matches.js";

const SENTENCES = {
  queued: (e) => `put into the queue of ${e.game_mode}${by(e)}`,
  dequeued: (e) => `left the queue of ${e.game_mode}${by(e)}`,
  committed: (e) => `put into match ${e.match_id} of ${e.game_mode}`,
  announced: (e) => `put into match ${e.match_id} of ${e.game_mode}, which was announced to the game servers`,
  offered_again: (e) => `match ${e.match_id} was offered again: nobody had started it`,
  claimed: (e) => `match ${e.match_id} was claimed${by(e)}`,
  claim_refused: (e) => `a claim of match ${e.match_id}${by(e)} was refused`,
  confirmed: (e) => `match ${e.match_id} was confirmed${by(e)}, and starts once that is durable`,
  confirm_refused: (e) => `the start of match ${e.match_id}${by(e)} was refused`,
  declined: (e) => `match ${e.match_id} was declined${by(e)}`,
  started: (e) => `match ${e.match_id} started${by(e)}`,
  given_back: (e) => `back in the queue of ${e.game_mode}, at the old place: match ${e.match_id} did not start`,
  expired: (e) => `waited too long in ${e.game_mode}, and was told so`,
  set_aside: (e) => `set aside in ${e.game_mode}: the ticket cannot be read`,
  requeued: (e) => `put back into ${e.game_mode} by an operator`,
  dropped: (e) => `the dead letter of ${e.game_mode} was dropped by an operator`,
};

const by = (event) => (event.pod_id ? ` by ${event.pod_id}` : "");

let times = 0;

export async function find(player) {
  const mine = (times += 1);
  // Not a part of the path: that cannot hold every id, ".." for one.
  const asked = new URLSearchParams({ player_id: player });
  byId("player").value = player;
  show(byId("found"), true);
  if (byId("found-title").dataset.of !== player) {
    byId("found-body").replaceChildren();
    byId("found-title").dataset.of = player;
    setText(byId("found-title"), `Player ${player}`);
  }
  byId("found-title").focus();
  let content;
  try {
    const found = await call("GET", `api/v1/players?${asked}`);
    content = answer(found);
    if (mine === times && found.party?.party_id === player) setText(byId("found-title"), `Party ${player}`);
  } catch (error) {
    content = [h("p", { class: "wrong" }, `Not found out: ${error.message}`)];
  }
  if (mine !== times) return;
  byId("found-body").replaceChildren(...content,
    h("p", {}, h("button", { type: "button", class: "quiet", onclick: () => find(player) }, "Look again")));
}

function answer(found) {
  return [...places(found), ...history(found.history)];
}

function places(found) {
  const now = Date.now() / 1000;
  const waits = Object.entries(found.queues).map(([mode, since]) =>
    h("p", { class: "place" }, "Waits in ", h("strong", {}, mode), ` since ${time(since)}, for ${age(now - since)}.`));
  const pending = found.pending_match;
  const match = pending
    ? [h("p", { class: "place" }, "Is in match ", h("code", {}, pending.match_id), " of ", h("strong", {}, pending.mode), ", which is being handed to a game server. ", ended(pending, found.player_id))]
    : [];
  const party = found.party ? [together(found.party, found.player_id)] : [];
  if (waits.length || match.length) return [...waits, ...match, ...party];
  return [h("p", { class: "place" }, "Is in no queue and in no match that waits to start: either playing, gone, set aside (see the dead letters below), or never heard of. Ids are case-sensitive.")];
}

function together(party, asked) {
  const itself = party.party_id === asked;
  const others = party.players.filter((player) => player !== asked);
  const names = others.flatMap((player, nth) => [nth ? ", " : "", link(player)]);
  const who = itself
    ? [`Is a party of ${plural(others.length, "player", "players")}: `, ...names]
    : ["Is in party ", link(party.party_id), ...(names.length ? [", with ", ...names] : [])];
  return h("p", { class: "place" }, ...who, ". They wait, are matched and leave together.");
}

const link = (id) => h("button", { type: "button", class: "plain", onclick: () => find(id) }, id);

function ended(pending, player) {
  return endButton(pending.mode, pending.match_id, async (words) => {
    await find(player);
    byId("found-body").prepend(h("p", { class: "said", role: "status" }, words));
  });
}

function history(events) {
  if (!events) return [];
  if (!events.length) return [h("p", { class: "muted" }, "Nothing is remembered of this player.")];
  return [h("h3", {}, "What happened"), h("ol", { class: "events" }, ...events.map((event) =>
    h("li", {}, h("time", { datetime: iso(event.at) }, time(event.at)),
      h("span", { class: "what" }, sentence(event)))))];
}

function sentence(event) {
  const text = SENTENCES[event.event]?.(event) ?? `${event.event.replaceAll("_", " ")} ${event.game_mode ?? ""}`.trim();
  const together = event.party_id ? `, with party ${event.party_id}` : "";
  const capital = text.charAt(0).toUpperCase() + text.slice(1) + together;
  return event.detail ? `${capital} (${event.detail})` : capital;
}

export function begin() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const player = byId("player").value;
    if (player) find(player);
    else byId("player").focus();
  });
  byId("found-close").addEventListener("click", () => {
    times += 1;
    show(byId("found"), false);
    byId("player").focus();
  });
}
