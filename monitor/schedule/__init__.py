"""
Run the jobs of the daemon: the only package that knows APScheduler.
"""
