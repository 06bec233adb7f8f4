"""
Feed connwatch with what nobody foresaw, from a seed, for a bounded time.

`python -m tests.fuzz --seconds 600` runs it by hand. One module an area; what a case is, how it
is judged and made smaller stands in `tests.fuzz.core`, what is hostile in `tests.fuzz.bait`.
"""
