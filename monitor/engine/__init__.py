"""Run the daemon: what is done when, and by which settings."""
