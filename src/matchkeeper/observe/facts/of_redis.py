"""Facts of Redis: what it answers, the breaker, its clock, and what it may lose."""

from __future__ import annotations

from matchkeeper.observe.facts.fact import ERROR, INFO, LOOK_AT_REDIS, WARNING, fact, logged
from matchkeeper.store.failures import Outcome


class RedisFacts:
    """What happens between this server and Redis."""

    @fact
    def redis_operation(
        self, *, operation: str, outcome: Outcome, seconds: float, error: str
    ) -> None:
        """One attempt at an operation has ended; `error` is empty where it was done."""

    @fact
    def redis_retry(self, *, operation: str) -> None:
        """An operation is tried again."""

    @logged(
        WARNING,
        "{operation} timeout after {seconds}s",
        LOOK_AT_REDIS,
        page="Redis did not answer within {seconds} s ({operation})",
    )
    def redis_timeout(self, *, operation: str, seconds: float) -> None:
        """Redis did not answer in time. It is tried again where that is safe."""

    @logged(WARNING, "{error}", LOOK_AT_REDIS, page="Redis cannot be reached: {error}")
    def redis_network_error(self, *, operation: str, error: str) -> None:
        """The connection to Redis failed (not a timeout). It is tried again where that is safe."""

    @logged(WARNING, "{error}", LOOK_AT_REDIS, page="Redis is not ready: {error}", once_per=())
    def redis_not_ready(self, *, operation: str, error: str) -> None:
        """Redis answers but cannot work: loading, a replica, out of memory, busy."""

    @logged(
        ERROR,
        "{error}",
        "Mend the password or the rights of the user (`matchkeeper doctor` names them).",
        page="Redis does not allow it: {error}",
        once_per=(),
    )
    def redis_forbidden(self, *, operation: str, error: str) -> None:
        """The password is wrong, or the user lacks a right. Requests in streams wait. The line
        comes once in `logging.repeat_interval_seconds`; `redis_usable` tells the end.
        """

    @logged(
        ERROR,
        "{error}",
        "Mend the key that is named.",
        page="Redis refuses: {error}",
        once_per=("operation",),
    )
    def redis_refused(self, *, operation: str, error: str) -> None:
        """Redis refuses for good: a wrong type under a key."""

    @logged(
        ERROR,
        "Redis answers, but does not do its work: {error}",
        "If it is a replica, point `redis.url` to the primary. If the user lacks a right, give it. "
        "Else see `matchkeeper doctor`.",
    )
    def redis_unusable(self, *, error: str) -> None:
        """The server is not ready, and looks every second whether it can go on."""

    @logged(INFO, "Redis does its work again")
    def redis_usable(self) -> None:
        """Matching goes on by itself."""

    @logged(
        WARNING,
        "{error}",
        "Look at the disk and the replicas of Redis (`redis.durability`).",
        page="Not durable yet: {error}",
        once_per=("operation",),
    )
    def not_durable(self, *, operation: str, error: str) -> None:
        """A change was made but is not yet on disk or on enough replicas; nobody was told of it."""

    @logged(
        WARNING,
        "Redis may lose what it was given: {check}: {found}. {mend}",
        "Do what the line says; `matchkeeper doctor` says the same.",
    )
    def redis_doubtful(self, *, check: str, found: str, mend: str) -> None:
        """Its settings allow that, or it cannot write to its disk. A server looks when it starts,
        and then every minute.
        """

    @logged(INFO, "Redis again keeps what it is given: {check}")
    def redis_trusted(self, *, check: str) -> None:
        """What `redis_doubtful` told is mended."""

    @fact
    def redis_doubts(self, *, count: int) -> None:
        """There are so many ways now in which it may lose what it was given."""

    @logged(
        ERROR,
        "The data in Redis went back: look {found} at its clock comes after look {seen}",
        "Find out what happened to Redis. Players who ask again are served.",
    )
    def state_went_back(self, *, seen: int, found: int) -> None:
        """Redis was emptied, has loaded an older data set, or is a replica that was behind until
        now. Players and matches since then may be gone; each look is a second of one server.
        """

    @logged(
        WARNING,
        "The clock of Redis has stepped by {seconds} s; it is bridged",
        "Let NTP on the machine of Redis slew the clock, not step it.",
    )
    def clock_stepped(self, *, seconds: str) -> None:
        """No wait and no deadline ends early or late because of it. Redis itself forgets by that
        clock, and so may forget early or late.
        """

    @fact
    def clock_offset(self, *, seconds: float) -> None:
        """The time that counts is so far ahead of the clock of Redis now."""

    @logged(
        ERROR,
        "Circuit breaker OPEN! {failures} consecutive failures. Blocking operations for {seconds}s",
        LOOK_AT_REDIS,
        page="Redis is out of reach after {failures} failures in a row; tried again in {seconds} s",
    )
    def breaker_open(self, *, failures: int, seconds: float) -> None:
        """Redis is out of reach. Nothing is sent for a while; players stay where they are."""

    @logged(
        INFO,
        "Circuit breaker HALF-OPEN: trying one operation",
        page="Trying Redis with one operation",
    )
    def breaker_probe(self) -> None:
        """The pause is over; one operation finds out whether Redis is back."""

    @logged(
        INFO,
        "Circuit breaker CLOSED (recovered after {failures} failures)",
        page="Redis is back after {failures} failure(s)",
    )
    def breaker_closed(self, *, failures: int) -> None:
        """Redis is back; matching goes on by itself."""

    @logged(
        WARNING,
        "Circuit breaker forced open by an operator",
        "`POST /api/v1/breaker/release` when Redis may be used again.",
        page="An operator holds the circuit breaker open",
    )
    def breaker_forced(self) -> None:
        """Nothing is sent to Redis until an operator releases it."""
