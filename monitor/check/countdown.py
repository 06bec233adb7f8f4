"""
Stand in for a check where nobody can be asked.

The grant lives elsewhere, so no request is made. What its clock says is read
when the result is judged (`monitor.judge.clocks.count_down`): a renewal may be
recorded at any moment, and the database knows it first.
"""

from __future__ import annotations

from monitor.judge.outcome import Outcome, Reason


class CountdownChecker:
    """
    Ask nobody, and leave the answer to the clock.
    """

    async def check(self) -> Outcome:
        """
        Return at once, without any I/O.
        """
        return Outcome(Reason.OK, is_countdown=True)
