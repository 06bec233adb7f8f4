"""Run the checks, and turn what they find into what is stored and announced."""
