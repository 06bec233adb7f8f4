"""
Look over an installation, and say what to mend.

One module for each thing that is looked at; each yields findings and changes
nothing. What a finding is stands in `finding`; in which order they are asked for
and how they look, in `monitor.cli.doctor`.
"""
