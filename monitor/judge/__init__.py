"""Decide what a check means and what is due: pure rules, no I/O.

The caller hands in what was known, what was seen and the present instant, and gets back what is
known now and what is due. Start with `verdict.judge`.
"""

from __future__ import annotations

from monitor.judge.outcome import Outcome, Reason, State
from monitor.judge.verdict import Verdict, judge

__all__ = ["Outcome", "Reason", "State", "Verdict", "judge"]
