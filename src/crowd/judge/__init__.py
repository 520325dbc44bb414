"""Decides from what the outside saw whether promises were kept."""

from crowd.judge.judge import judge
from crowd.judge.matches import Match, Matches, check_match
from crowd.judge.settings import Refusals
from crowd.judge.together import Together
from crowd.judge.told import Told
from crowd.judge.verdict import Fault, Finding, Verdict

__all__ = [
    "Fault",
    "Finding",
    "Match",
    "Matches",
    "Refusals",
    "Together",
    "Told",
    "Verdict",
    "check_match",
    "judge",
]
