"""Game servers that claim matches and start none: people are told, reminded, and told the end."""

from __future__ import annotations

from collections.abc import Iterable

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.observe.alerts import Alerter, Outage, Severity
from matchkeeper.observe.facts import Facts
from matchkeeper.store.claimers import Claimer
from matchkeeper.wire.limits import printable

OUTAGE = Outage(
    name="claims_refused", runbook="docs/runbooks/claims-refused.md", severity=Severity.ERROR
)


class RefusedClaimers:
    """Hears from the reaper which game servers start nothing, and tells the people on call.

    A game server may be allowed to claim again and not do so for as long as the longest refusal:
    then it counts as gone.
    """

    def __init__(self, settings: MatchmakingSettings, *, alerter: Alerter, facts: Facts) -> None:
        self._alerter = alerter
        self._facts = facts
        self._forget_seconds = settings.unstarted_refusal_max_seconds
        self._of_mode: dict[QueueName, dict[str, int]] = {}

    def look(self, mode: GameMode, claimers: Iterable[Claimer]) -> None:
        """Takes in the game servers of one mode, as Redis has them."""
        before = self._of_mode.get(mode.queue, {})
        now = {
            printable(each.pod_id): each.not_started
            for each in claimers
            if each.refused_for_seconds is not None
            and each.refused_for_seconds > -self._forget_seconds
        }
        if now == before:
            return
        self._of_mode[mode.queue] = now
        self._facts.pods_refused(count=len(self.not_started()))
        for pod_id, count in now.items():
            if count > before.get(pod_id, 0):
                self._refused(mode, pod_id, count)
        for pod_id in before.keys() - now.keys():
            self._facts.claims_allowed(pod_id=pod_id, mode=mode.name)
        if not self.not_started():
            self._alerter.submit(OUTAGE.ends("All game servers may claim matches again"))

    def not_started(self) -> dict[str, int]:
        """Pods whose claims are refused, and how many matches in a row they did not start."""
        most: dict[str, int] = {}
        for pods in self._of_mode.values():
            for pod_id, count in pods.items():
                most[pod_id] = max(count, most.get(pod_id, 0))
        return most

    def _refused(self, mode: GameMode, pod_id: str, count: int) -> None:
        self._facts.claims_refused(pod_id=pod_id, mode=mode.name, matches=count)
        text = Facts.claims_refused.says(pod_id=pod_id, mode=mode.name, matches=count)
        pods = ", ".join(sorted(self.not_started()))
        self._alerter.submit(
            OUTAGE.begins(text, pod_id=pod_id, mode=mode.name, matches=count, pods=pods)
        )
