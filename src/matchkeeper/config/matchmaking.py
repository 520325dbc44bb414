"""The table [matchmaking] and its [[matchmaking.game_modes]]."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from matchkeeper.config.checks import POD_ID, Channel, ModeName, Realm, ResultChannel
from matchkeeper.config.sections import DAY, HOUR, Section, allowed
from matchkeeper.domain.mode import GameMode, Handoff, RatingRules
from matchkeeper.domain.realm import NO_REALM, in_realm

_CHANNEL = allowed("1 to 256 printable characters without blanks")
_MAX_RATING = 1_000_000
EACH_ITS_OWN: JsonDict = {"each_its_own": True}
"""For keys of [matchmaking] that say how fast a server works. All others must be the same on all
servers of one Redis.
"""


class GameModeSettings(Section):
    """[[matchmaking.game_modes]]"""

    game_mode: ModeName = Field(
        description="Name of the mode. Upper and lower case are the same in keys.",
        json_schema_extra=allowed("1 to 64 printable characters without blanks, { and }"),
    )
    required_players: int = Field(default=2, ge=2, le=1000, description="Players of one match.")
    use_mmr_matching: bool = Field(
        default=False,
        description="`true`: closest ratings (`mmr` in the metadata). `false`: first come, first "
        "served.",
    )
    teams: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Number of teams, all of one size; divides `required_players`.",
        json_schema_extra={"default_text": "`required_players`: each player alone"},
    )
    handoff: Literal["publish", "claim"] = Field(
        default="publish",
        description="`claim`, the safe way: a match is offered until one game server has claimed "
        "it and confirmed the start. `publish`, for game servers that only listen: a match is "
        "announced once to all who listen. The pod of the first player starts it, and if that pod "
        "dies or hangs, the match is lost.",
    )
    claim_lease_seconds: float = Field(
        default=10,
        gt=0,
        le=HOUR,
        description="Time in which a claimed match must be confirmed; else its players go back. It "
        "should be more than a game server needs to get ready.",
    )
    max_wait_seconds: float = Field(
        default=0,
        ge=0,
        le=30 * DAY,
        description="Players who wait longer than this expire. 0: never.",
    )
    max_queue_length: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Number of players who may wait. Further ones are refused (`queue_full`). At "
        "least `required_players`. 0: no bound.",
    )
    mmr_window_start: float = Field(
        default=100, ge=0, le=_MAX_RATING, description="Largest rating difference at first."
    )
    mmr_window_growth_per_second: float = Field(
        default=10,
        ge=0,
        le=_MAX_RATING,
        description="What each second of waiting adds to the window.",
    )
    mmr_window_max: float = Field(
        default=1000,
        ge=0,
        le=_MAX_RATING,
        description="Widest window. At least `mmr_window_start`.",
    )
    mmr_anyone_after_seconds: float = Field(
        default=0,
        ge=0,
        le=30 * DAY,
        description="Players who wait longer than this accept any rating. 0: never.",
    )
    second_is_worth: float = Field(
        default=0,
        ge=0,
        le=_MAX_RATING,
        description="Rating points that a second of waiting is worth, for modes of two players "
        "with `use_mmr_matching`: 5 for even matches, 10 to 20 for quick ones. The windows follow "
        "from it and from how many players come. Of the other keys only `mmr_window_start` (until "
        "that is known), `mmr_window_max` and `mmr_default` count. 0: the windows are those above.",
    )
    mmr_default: float = Field(
        default=1500,
        ge=-_MAX_RATING,
        le=_MAX_RATING,
        description="Rating of a player whose metadata has none.",
    )

    def to_domain(self, *, realm: str = NO_REALM, max_metadata_bytes: int) -> GameMode:
        """The mode as the rest of the program knows it."""
        rating = None
        if self.use_mmr_matching:
            rating = RatingRules(
                start=self.mmr_window_start,
                growth_per_second=self.mmr_window_growth_per_second,
                maximum=self.mmr_window_max,
                anyone_after=_unless_zero(self.mmr_anyone_after_seconds),
                default_rating=self.mmr_default,
                second_is_worth=self.second_is_worth or None,
            )
        return GameMode(
            name=self.game_mode,
            realm=realm,
            required_players=self.required_players,
            teams=self.teams or self.required_players,
            rating=rating,
            handoff=Handoff(self.handoff),
            claim_lease=timedelta(seconds=self.claim_lease_seconds),
            max_metadata_bytes=max_metadata_bytes,
            max_wait=_unless_zero(self.max_wait_seconds),
            max_queue_length=self.max_queue_length or None,
        )


def _unless_zero(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


class MatchmakingSettings(Section):
    """[matchmaking]"""

    realm: Realm = Field(
        default=NO_REALM,
        description="The realm of all modes of this server. It shares nothing but the Redis with "
        "other realms: its name stands in every key and behind every channel, as in "
        "`queue:{eu}:ranked` and `battle:request:{eu}`.",
        json_schema_extra=allowed(
            "up to 64 lower-case letters, digits, and . _ -; then no mode has a colon in its name",
            default="none",
        ),
    )
    redis_operation_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=300,
        description="Deadline of every Redis operation.",
        json_schema_extra=EACH_ITS_OWN,
    )
    try_match_tick_interval_seconds: float = Field(
        default=5,
        gt=0,
        le=HOUR,
        description="Time between two rounds of a queue. Players who arrive start one sooner.",
        json_schema_extra=EACH_ITS_OWN,
    )
    battle_request_channel: Channel = Field(
        default="battle:request",
        description="Channel on which matches are offered to all game servers.",
        json_schema_extra=_CHANNEL,
    )
    enqueue_request_channel: Channel = Field(
        default="match:enqueue:request",
        description="Channel of enqueue requests.",
        json_schema_extra=_CHANNEL,
    )
    dequeue_request_channel: Channel = Field(
        default="match:dequeue:request",
        description="Channel of dequeue requests.",
        json_schema_extra=_CHANNEL,
    )
    handoff_request_channel: Channel = Field(
        default="match:handoff:request",
        description="Channel of what game servers say of matches: claim, confirm, start, decline, "
        "heartbeats.",
        json_schema_extra=_CHANNEL,
    )
    match_result_channel: ResultChannel = Field(
        default="pod:{pod_id}:match_result",
        description="Channel of the answers to one game server.",
        json_schema_extra=allowed(
            "1 to 256 printable characters without blanks, with {pod_id} and no other { or }"
        ),
    )
    allow_multiple_queues: bool = Field(
        default=False,
        description="Whether a player may wait in several queues. The first match takes the player "
        "out of all.",
    )
    max_message_bytes: int = Field(
        default=65_536, ge=256, le=1_048_576, description="Larger messages are refused unread."
    )
    max_battle_request_bytes: int = Field(
        default=4_194_304,
        ge=1_048_576,
        le=67_108_864,
        description="Bound of the metadata in one battle request. Each player of a match may have "
        "an equal part of it, or `max_message_bytes` if that is smaller.",
    )
    max_tickets_per_round: int = Field(
        default=10_000,
        ge=2,
        le=1_000_000,
        description="Number of tickets of a queue that a round looks at. Where more wait, the next "
        "rounds look at the others, each with up to half as many that found nobody before. At "
        "least the `required_players` of every mode.",
        json_schema_extra=EACH_ITS_OWN,
    )
    metadata_grace_seconds: float = Field(
        default=10,
        ge=0,
        le=HOUR,
        description="Age that a ticket put into a queue by hand may reach before its missing "
        "metadata counts as an error.",
    )
    commit_batch_size: int = Field(
        default=40,
        ge=1,
        le=10_000,
        description="Number of two-player matches that one script call commits. Of larger matches "
        "it commits fewer, so that no call holds Redis for long.",
        json_schema_extra=EACH_ITS_OWN,
    )
    ingest_batch_size: int = Field(
        default=200,
        ge=1,
        le=5_000,
        description="Number of requests that one script call writes.",
        json_schema_extra=EACH_ITS_OWN,
    )
    pubsub_backlog: int = Field(
        default=50_000,
        ge=1,
        le=10_000_000,
        description="Number of Pub/Sub requests that may wait in memory, and as many in Redis. "
        "Further ones are dropped and counted.",
        json_schema_extra=EACH_ITS_OWN,
    )
    read_streams: bool = Field(
        default=True,
        description="Whether requests are also read from the durable streams.",
        json_schema_extra=EACH_ITS_OWN,
    )
    offer_timeout_seconds: float = Field(
        default=5, gt=0, le=HOUR, description="Time in which an offered match must be claimed."
    )
    max_offers: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="How often a match is offered before its players go back.",
    )
    pod_heartbeat_timeout_seconds: float = Field(
        default=15,
        gt=0,
        le=HOUR,
        description="A pod that has sent heartbeats and is silent for longer than this has its "
        "players held: nobody is matched with them.",
    )
    unclaimed_threshold: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="Number of unclaimed matches in a row after which a pod's players are held.",
    )
    unclaimed_hold_seconds: float = Field(
        default=5,
        gt=0,
        le=HOUR,
        description="How long they are held at first. The time doubles with each further match.",
    )
    unclaimed_hold_max_seconds: float = Field(
        default=60,
        gt=0,
        le=DAY,
        description="Longest time that they are held. At least `unclaimed_hold_seconds`.",
    )
    unstarted_threshold: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="Number of matches in a row that a pod claimed and did not start, after which "
        "its claims are refused.",
    )
    unstarted_refusal_seconds: float = Field(
        default=10,
        gt=0,
        le=HOUR,
        description="How long its claims are refused at first. The time doubles with each further "
        "match. A start ends it.",
    )
    unstarted_refusal_max_seconds: float = Field(
        default=300,
        gt=0,
        le=DAY,
        description="Longest time that claims are refused. At least `unstarted_refusal_seconds`.",
    )
    max_dead_letters: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Number of dead letters kept for each mode.",
    )
    match_memory_seconds: float = Field(
        default=120,
        gt=0,
        le=DAY,
        description="How long a finished match is remembered. Must be longer than all attempts at "
        "one operation take together.",
    )
    game_modes: tuple[GameModeSettings, ...] = Field(
        default=(
            GameModeSettings(game_mode="Normal"),
            GameModeSettings(game_mode="Ranked", use_mmr_matching=True),
        ),
        strict=False,
        min_length=1,
        max_length=1000,
        description="The game modes, each a table of its own.",
        json_schema_extra=allowed(
            "one or more tables [[matchmaking.game_modes]] (at most 1000)",
            default="`Normal`; `Ranked` with `use_mmr_matching = true`",
        ),
    )

    @property
    def take_over_seconds(self) -> float:
        """How long a server must have been silent before another one does the requests that it had
        read.
        """
        return 3 * self.redis_operation_timeout_seconds

    @property
    def requests(self) -> tuple[str, str, str]:
        """The channels of enqueues, of dequeues and of what game servers say, in this realm."""
        return (
            in_realm(self.enqueue_request_channel, self.realm),
            in_realm(self.dequeue_request_channel, self.realm),
            in_realm(self.handoff_request_channel, self.realm),
        )

    @property
    def offers(self) -> str:
        """The channel of battle requests in this realm."""
        return in_realm(self.battle_request_channel, self.realm)

    @property
    def results(self) -> str:
        """The channels of the answers in this realm, with `{pod_id}`."""
        return in_realm(self.match_result_channel, self.realm)

    def result_channel(self, pod_id: str) -> str:
        """The channel of the answers to one game server."""
        return self.results.replace(POD_ID, pod_id)

    def modes(self) -> tuple[GameMode, ...]:
        """The game modes, in the order of the file."""
        return tuple(
            mode.to_domain(
                realm=self.realm,
                max_metadata_bytes=min(
                    self.max_message_bytes, self.max_battle_request_bytes // mode.required_players
                ),
            )
            for mode in self.game_modes
        )
