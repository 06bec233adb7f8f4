"""
Name what the simulator refuses to do.

Decides the texts' kind only; what becomes of them (a JSON error, a line on the
page) is left to `control` and `soldscope_api`.
"""

from __future__ import annotations


class SimulatorError(ValueError):
    """
    A wish that cannot be fulfilled, with a sentence that says why.
    """


class UnknownNameError(SimulatorError):
    """
    Something was named that does not exist.
    """


class QuotaUsedUpError(SimulatorError):
    """
    A metered call was made and nothing is left.
    """
