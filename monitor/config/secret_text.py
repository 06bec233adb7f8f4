"""
Decide which texts can be secrets, and which of Amazon's secrets one is.

Nothing in here repeats a text. Where secrets come from is left to `secret`.
"""

from __future__ import annotations

import unicodedata

_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_BYTE_ORDER_MARK = "\ufeff"

_ACCESS_TOKEN = "an access token, which lasts an hour and belongs nowhere in this file"  # noqa: S105 - a name
_REFRESH_TOKEN = "a refresh token: write it as refresh_token of its connection"  # noqa: S105 - a name
_CLIENT_SECRET = "a client secret: write it as client_secret of its application"  # noqa: S105 - a name
_APPLICATION_ID = "an application id: write it as application_id of its application"
_SHAPES = {
    "Atza|": _ACCESS_TOKEN,
    "Atc|": _ACCESS_TOKEN,
    "Atzr|": _REFRESH_TOKEN,
    "amzn1.oa2-cs.": _CLIENT_SECRET,
    "amzn1.application-oa2-client.": "a client id: write it as client_id of its application",
    "amzn1.sp.solution.": _APPLICATION_ID,
    "amzn1.sellerapps.app.": _APPLICATION_ID,
}


def refuse_unusable(text: str) -> None:
    """
    Refuse what no service accepts and what would break out of a header.

    Raises:
        ValueError: Without the text.
    """
    if not text.strip():
        raise ValueError("the secret is empty")
    if any(unicodedata.category(char) in _FORBIDDEN for char in text):
        raise ValueError(
            "the secret holds a line break or another control character, or is not UTF-8:"
            " keep it on one line, with nothing before or after it"
        )


def check_refresh_token(text: str) -> None:
    """
    Refuse what can be no refresh token of Amazon's.

    Raises:
        ValueError: Without the text.
    """
    _refuse_unsendable(text)
    _refuse_other(text, _REFRESH_TOKEN, 'a refresh token begins with "Atzr|"')


def check_client_secret(text: str) -> None:
    """
    Refuse what can be no client secret of Amazon's; older ones begin with anything.

    Raises:
        ValueError: Without the text.
    """
    _refuse_unsendable(text)
    where = "the client secret stands beside the client id in the developer console"
    _refuse_other(text, _CLIENT_SECRET, where)


def _refuse_unsendable(text: str) -> None:
    if text.startswith(_BYTE_ORDER_MARK):
        raise ValueError(
            "begins with a byte order mark, which some editors put there: save it as UTF-8 without"
        )
    if any(char.isspace() for char in text):
        raise ValueError("holds a space: copy it again, with nothing before, in or after it")
    if not text.isascii():
        raise ValueError(
            "holds letters outside ASCII, which none of Amazon's has: copy it again from where it"
            " was issued"
        )


def _refuse_other(text: str, wanted: str, hint: str) -> None:
    for shape, what in _SHAPES.items():
        if what != wanted and text.startswith(shape):
            raise ValueError(f"this is {what}; {hint}")
