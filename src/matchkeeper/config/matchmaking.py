"""The table [matchmaking]."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field
from pydantic.config import JsonDict

from matchkeeper.config.checks import POD_ID, Channel, Realm, ResultChannel
from matchkeeper.config.game_mode import GameModeSettings
from matchkeeper.config.sections import DAY, HOUR, Section, allowed
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import NO_REALM, in_realm

_CHANNEL = allowed("1 to 256 printable characters without blanks")
EACH_ITS_OWN: JsonDict = {"each_its_own": True}
"""For keys of [matchmaking] that say how fast a server works. All others must be the same on all
servers of one Redis.
"""


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

    @cached_property
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
                    self.max_message_bytes, self.max_battle_request_bytes // mode.most_players
                ),
            )
            for mode in self.game_modes
        )
