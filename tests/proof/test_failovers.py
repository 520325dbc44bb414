"""What is counted after a failover: players in two battles, back in the queue, or nowhere."""

from __future__ import annotations

from crowd.history import History, State, What
from proof.durability.failover import Undone, undone


def test_players_are_counted_by_what_became_of_them() -> None:
    history = History()
    for player in ("once", "twice", "back", "waits", "gone"):
        history.add(What.ASKED, 1.0, player=player, mode="Duel", word="enqueue")
        history.add(What.TOLD, 2.0, player=player, word="EnQueued")
    for match, players in {"m": ("once", "twice"), "n": ("twice", "back")}.items():
        history.add(What.STARTED, 3.0, match=match, players=tuple((each, 1) for each in players))
    history.add(What.LOOKED, 4.0, state=State(queues={"Duel": {"back": 0.0, "waits": 0.0}}))
    assert undone(history) == Undone(told=5, started=3, twice=2, missing=1)
