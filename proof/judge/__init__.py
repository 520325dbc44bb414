"""Decides from what the outside saw whether promises were kept. Imports nothing of the server."""

from proof.judge.history import Event, History, State, What
from proof.judge.judge import judge
from proof.judge.settings import Refusals
from proof.judge.verdict import Fault, Finding, Verdict

__all__ = ["Event", "Fault", "Finding", "History", "Refusals", "State", "Verdict", "What", "judge"]
