"""
Keep what is known: the only package that knows SQL.
"""
