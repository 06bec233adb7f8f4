"""
Say what several alerts of one kind say in one message.

How they are listed is decided in `many`.
"""

from __future__ import annotations

from monitor.alert.texts.of_one import EXPIRING_TITLE_WITHOUT_DATE
from monitor.alert.texts.of_quota import FORECAST_TITLE_WITHOUT_DATE
from monitor.alert.texts.wide import OUTAGE_TITLE, ROTATION_EXPIRING_TITLE_WITHOUT_DATE
from monitor.judge.alerts import AlertKind, SubjectKind

MANY_DIFFER = "They are told together; what each of them reports stands below."
SINCE_BRIEFLY = "since {at}"
BROKEN_BRIEFLY = "broken from {at} on, for {span}"
LEFT_BRIEFLY = "{remaining} of {limit} left"
HEADLINES_OF_MANY = {
    AlertKind.ERROR: "{who} have trouble",
    AlertKind.EXPIRED: "{who}: authorization expired",
    AlertKind.EXPIRING_SOON: EXPIRING_TITLE_WITHOUT_DATE,
    AlertKind.SECRET_EXPIRING: ROTATION_EXPIRING_TITLE_WITHOUT_DATE,
    AlertKind.QUOTA_FORECAST: FORECAST_TITLE_WITHOUT_DATE,
    AlertKind.OUTAGE: OUTAGE_TITLE,
    AlertKind.OUTAGE_OVER: "{who}: outages are over",
}
OTHERS_OF_MANY = {
    SubjectKind.APPLICATION: "{n} applications",
    SubjectKind.HOST: "{n} services",
    SubjectKind.CHANNEL: "{n} channels",
}
