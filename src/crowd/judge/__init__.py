"""Decides from what the outside saw whether promises were kept."""

from crowd.judge.judge import judge
from crowd.judge.settings import Refusals
from crowd.judge.verdict import Fault, Finding, Verdict

__all__ = ["Fault", "Finding", "Refusals", "Verdict", "judge"]
