"""
Look at what the file refers to: secrets, and certificates on disk.

Not part of loading: most commands work without any secret.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.config.errors import Notice, Problem
from monitor.config.secret import CredentialsInvisible, Secret, SecretUnavailable
from monitor.config.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.model import Config


@dataclass(frozen=True, slots=True)
class SecretsChecked:
    """
    What became of trying to read all secrets.

    Args:
        problems: Secrets that are not where they should be.
        notices: Credentials that only the systemd unit can see.
    """

    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()


def check_secrets(config: Config) -> SecretsChecked:
    """
    Read every secret of *config* and return what could not be read.
    """
    problems: list[Problem] = []
    notices: list[Notice] = []
    for leaf in walk(config):
        if not isinstance(leaf.value, Secret):
            continue
        try:
            leaf.value.reveal()
        except CredentialsInvisible as error:
            notices.append(Notice(leaf.place, str(error)))
        except SecretUnavailable as error:
            problems.append(Problem(leaf.place, str(error)))
    return SecretsChecked(tuple(problems), tuple(notices))


def check_files(config: Config) -> tuple[Problem, ...]:
    """
    Read every `ca_file` of *config* and return those that hold no certificates.
    """
    verdicts: dict[Path, str | None] = {}
    problems = []
    for leaf in walk(config):
        if leaf.key != "ca_file" or leaf.value is None:
            continue
        if leaf.value not in verdicts:
            verdicts[leaf.value] = _refuse_certificates(leaf.value)
        message = verdicts[leaf.value]
        if message is not None:
            problems.append(Problem(leaf.place, message))
    return tuple(problems)


def _refuse_certificates(path: Path) -> str | None:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return f"{path} holds no certificates in PEM form"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or type(error).__name__}"
    return None
