"""
Turn the TOML file into frozen settings, or say everything that is wrong with it.

Start with `load.load_config`; what a key means stands in `model` and the
modules it names. What changes while the daemon runs lives in `monitor.store`.
"""
