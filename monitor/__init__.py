"""
Watch API connections and tell people before they break.

The story, in the order in which it runs:

1. `cli` reads the command and the configuration (`config`).
2. `app.App` builds every part and starts a handful of jobs (`schedule.jobs`).
3. A tick finds the connections that are due (`store`) and starts their checks.
4. `check` asks the provider and returns an outcome: data, never an exception.
5. `cycle` collects the outcomes, has each judged (`judge`, pure) and stores
   results, states and due alerts in one transaction.
6. `alert` delivers what the outbox holds, apart from the checks.

Start reading at `cycle.py`.
"""

__version__ = "0.1.0"
