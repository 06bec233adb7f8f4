"""
Make a service of systemd from a first configuration file.

Decides where the unit, the file and the secrets go, and that nothing that
stands there is touched. What the unit says is decided in `deploy/systemd/`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.ending import CommandError
from monitor.cli.questions import say
from monitor.config.secret import Secret, SecretUnavailable, SourceKind
from monitor.config.starter import Kept, Table, create_file, starter_config
from monitor.resources import unit_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from monitor.cli.questions import Draft
    from monitor.config.starter import Value

    Run = Callable[[Sequence[str]], None]

UNIT = "connwatch.service"
CREDENTIAL = "secret_"
"""What the unit puts before the name of each file in the folder of secrets."""

_HIDDEN_FROM_UNITS = {"home", "root"}
"""What stands below these folders (`ProtectHome`)."""

_LARGEST_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Places:
    """
    Where a service belongs on a machine.
    """

    settings: Path = Path("/etc/connwatch")
    units: Path = Path("/etc/systemd/system")
    systemd: Path = Path("/run/systemd/system")

    @property
    def config(self) -> Path:
        """
        Return the configuration file.
        """
        return self.settings / "config.toml"

    @property
    def secrets(self) -> Path:
        """
        Return the folder of which the unit hands each file to the program.
        """
        return self.settings / "secrets"


def find_obstacle(places: Places, program: Path | None) -> str | None:
    """
    Return why no service can be made here, or None.

    Args:
        program: Where `connwatch` is installed, as far as that is known.
    """
    taken = [path for path in (places.config, places.units / UNIT) if os.path.lexists(path)]
    if not places.systemd.is_dir():
        return "systemd does not run here"
    if os.geteuid() != 0:
        return "only root can do that: run `connwatch config init` as root"
    if program is None or _HIDDEN_FROM_UNITS & set(program.resolve().parts[1:2]):
        return "the program lies where a service cannot read it: install it into /opt/connwatch"
    if taken:
        return f"{taken[0]} exists already and is left as it is"
    return None


def find_program() -> Path | None:
    """
    Return the command that was called, as a service can call it.
    """
    beside = Path(sys.executable).with_name("connwatch")
    found = str(beside) if beside.is_file() else shutil.which("connwatch")
    return None if found is None else Path(found)


def install_service(draft: Draft, places: Places, program: Path, run: Run) -> None:
    """
    Write the secrets, the file and the unit, and start the service.

    Args:
        run: Runs a command, and raises CommandError if that fails.

    Raises:
        CommandError: Something could not be written, or systemd refuses.
    """
    tables, secrets, missing = _hand_over(draft)
    unit = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", unit_file())
    files = [(places.secrets / name, f"{value}\n", 0o600) for name, value in secrets.items()]
    files.append((places.config, starter_config(tables), _LARGEST_MODE))
    files.append((places.units / UNIT, unit, _LARGEST_MODE))
    try:
        places.settings.mkdir(mode=0o755, parents=True, exist_ok=True)
        places.secrets.mkdir(mode=0o700, exist_ok=True)
        with ExitStack() as taken_back:
            for path, text, mode in files:
                create_file(path, text, mode)
                taken_back.callback(path.unlink, missing_ok=True)
            taken_back.pop_all()
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error
    run(["systemctl", "daemon-reload"])
    for name in missing:
        say(f"Put the secret into {places.secrets / name}, which only root may read (chmod 600)")
    if missing:
        say("Then: systemctl enable --now connwatch")
        return
    run(["systemctl", "enable", "--now", UNIT])
    say("It runs, and starts with this machine: systemctl status connwatch")


def run_command(command: Sequence[str]) -> None:
    """
    Run *command*.

    Raises:
        CommandError: It failed; says what it said.
    """
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of ours
    if ended.returncode:
        said = ended.stderr.strip() or f"exit code {ended.returncode}"
        raise CommandError(f"{' '.join(command)}: {said}")


def _hand_over(draft: Draft) -> tuple[list[Table], dict[str, str], list[str]]:
    """
    Return the tables with systemd's credentials in place of all secrets.

    Beside them, the secrets by the name of their file, and the files that are
    missing because a secret cannot be read yet.
    """
    tables: list[Table] = []
    secrets: dict[str, str] = {}
    missing: list[str] = []
    for table in draft.tables:
        keys: dict[str, Value] = dict(table.keys)
        for key, kept in table.keys.items():
            if not isinstance(kept, Kept):
                continue
            name = _name_apart(f"{table.keys['name']}-{key}", {*secrets, *missing})
            keys[key] = Kept(SourceKind.CREDENTIAL, f"{CREDENTIAL}{name}")
            try:
                secrets[name] = _reveal(kept, draft.path.parent)
            except SecretUnavailable:
                missing.append(name)
        tables.append(replace(table, keys=keys))
    return tables, secrets, missing


def _name_apart(wanted: str, taken: Collection[str]) -> str:
    """
    Return a name like *wanted* for a file that is not *taken*, as systemd takes it for credentials.

    It refuses the whole unit for a name with other letters than these, and
    passes over files whose name begins with a dot.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).lstrip(".-")
    tries = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
    return next(each for each in tries if each not in taken)


def _reveal(kept: Kept, folder: Path) -> str:
    if kept.kind is SourceKind.LITERAL:
        return kept.value
    return Secret({kept.kind.value: kept.value}, folder).reveal()
