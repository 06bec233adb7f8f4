"""
Show what the daemon knows where people would rather look, and to programs.

`server` builds the application out of `parts`; `guard` lets nobody in who may
not enter, before any route is asked. Nothing in here judges, checks or sends:
routes read with `parts.reader`, and change with `parts.store`.
"""
