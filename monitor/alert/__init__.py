"""
Word the alerts and deliver them.
"""
