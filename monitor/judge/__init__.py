"""
Decide what a check means: pure rules, no I/O.

Nothing in here awaits, reads a clock, logs or knows of SQL. The caller hands
in what was known, what was seen and the present instant, and gets back what
is known now and what people should be told.

Start with `decide.judge`.
"""
