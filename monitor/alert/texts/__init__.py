"""
Hold every sentence that alerts are made of.

A module for each that uses them; a translation replaces this package and nothing
else. Which sentences are said is decided beside it.
"""
