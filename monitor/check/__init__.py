"""
Ask the providers: all the I/O of a check, ending in an outcome.
"""
