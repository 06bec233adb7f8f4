"""
Say what the alerts about a quota say.

Which of the sentences an alert uses is decided in `quota_drafts`.
"""

from __future__ import annotations

from monitor.judge.outcome import QuotaUnit

QUOTA_LEFT = "Left in this period: {remaining} of {limit} {unit} ({percent} %)."
QUOTA_LEFT_OF_UNKNOWN = "Left in this period: {remaining} {unit}."
QUOTA_WINDOW = 'It is the quota that the API calls "{window}".'
QUOTA_UNKNOWN = "How much is left is not known."
QUOTA_ENDS = "The period ends at {at} (in {span})."
QUOTA_ENDED = "The period should have ended at {at}."
QUOTA_LOW_TITLE = "{who}: quota low"
QUOTA_LOW = "The quota is running low: {step} % or less is left."
QUOTA_LOW_BREAKS = "When it is used up, every program that shares this account is refused."
QUOTA_LOW_STEP = (
    "Whoever plans the jobs should put off what can wait; the owner of the account can buy a"
    " larger quota."
)
QUOTA_LOW_SHORT = "Put off what can wait, or buy a larger quota."
QUOTA_EXHAUSTED_TITLE = "{who}: quota used up"
QUOTA_EXHAUSTED = "The quota of this period is used up."
QUOTA_EXHAUSTED_OF = "The quota of this period, {limit} {unit}, is used up."
QUOTA_EXHAUSTED_BREAKS = (
    "Every program that shares this account is refused until the period ends or a larger quota"
    " is bought. The credential itself is fine."
)
QUOTA_EXHAUSTED_STEP = (
    "The owner of the account can buy a larger quota at the service; otherwise stop the jobs"
    " until the period ends."
)
QUOTA_EXHAUSTED_SHORT = "Buy a larger quota, or stop the jobs until the period ends."
QUOTA_RESTORED_TITLE = "{who}: quota available again"
QUOTA_RESTORED = "The quota is available again."
QUOTA_RESTORED_STEP = "Jobs that were put off can run again."
QUOTA_RESTORED_SHORT = "Jobs that were put off can run again."
LIMIT_CHANGED_TITLE = "{who}: quota changed"
LIMIT_RAISED = "The quota was raised from {before} to {limit} {unit} per period."
LIMIT_LOWERED = "The quota was lowered from {before} to {limit} {unit} per period."
LIMIT_CHANGED = "The quota was changed."
LIMIT_RAISED_STEP = "Nothing needs to be done."
LIMIT_LOWERED_STEP = (
    "If nobody on your side changed the plan, the owner of the account should ask the service."
)
LIMIT_RAISED_SHORT = "Nothing to do."
LIMIT_LOWERED_SHORT = "Ask the service, if nobody changed the plan."

FORECAST_TITLE = "{{who}}: quota runs out {when}"
FORECAST_TITLE_WITHOUT_DATE = "{who}: quota will not last"
FORECAST = "At the present rate the quota is used up on {day}, {when}; the period ends at {at}."
FORECAST_WITHOUT_END = "At the present rate the quota is used up on {day}, {when}."
FORECAST_WITHOUT_DATE = "At the present rate the quota will be used up before the period ends."
FORECAST_BETWEEN = "Probably between {earliest} and {latest}."
FORECAST_STEP = (
    "Whoever plans the jobs should slow them down or put off what can wait; the owner of the"
    " account can buy a larger quota before it is needed."
)
FORECAST_SHORT = "Slow the jobs down, or buy a larger quota in time."

UNITS: dict[str, str] = {
    QuotaUnit.CONCURRENT: "requests at a time",
    QuotaUnit.OTHER: "units",
}
"""What a quota counts, where that is not called what people call it."""
