"""
Measure what the design promises about speed and size.

Figures are printed, never asserted: machines differ. `python -m tests.benchmarks`
lists what can be measured.
"""
