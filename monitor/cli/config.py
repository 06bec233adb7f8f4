"""Make, check, show and describe the configuration file (`config`).

What the file means is decided in `monitor.config`, the text of a first file in
`config.starter`; the questions for it stand in `cli.wizard`. Nothing that stands anywhere is
overwritten. A first file can become a service of systemd: where its unit, the file and the
secrets go is decided here, what the unit says in `deploy/systemd/`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor.cli.completion import AsJson  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import CommandError
from monitor.cli.output import TableRow, open_console, print_json, print_rows
from monitor.cli.settings import describe_owner
from monitor.cli.sources import check_sources
from monitor.cli.wizard import (
    SOLDSCOPE_NAME,
    ConfigDraft,
    Prefilled,
    at_home,
    channel_table,
    confirm,
    print_text,
    run_wizard,
)
from monitor.clock import utc_now
from monitor.config.describe import Origin, json_schema, list_settings
from monitor.config.errors import ConfigError, Notice, as_argument, format_count
from monitor.config.load import find_config
from monitor.config.remarks import check_secrets, unused_groups
from monitor.config.secret import Secret, SecretUnavailable, SourceKind
from monitor.config.starter import (
    CHANNELS,
    CONNECTIONS,
    SecretPlace,
    Table,
    Value,
    create_file,
    starter_config,
    write_new,
)
from monitor.judge.connections import OWNER_FILE
from monitor.resources import unit_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from monitor.cli.session import Session
    from monitor.store.engine import Transaction


commands = typer.Typer(no_args_is_help=True)


@commands.command()
def init(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write; default: --config, else ./config.toml."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The base URL of the SoldScope API.")
    ] = None,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment variable with the token.")
    ] = None,
    token_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file with the token.")
    ] = None,
    channel_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the Apprise URL."),
    ] = None,
    channel_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file with the Apprise URL.")
    ] = None,
    no_channel: Annotated[bool, typer.Option("--no-channel", help="No alerts yet.")] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name of the connection; default: soldscope."),
    ] = None,
) -> None:
    """Create a configuration file, step by step.

    Asks for everything that no option says. An existing file is never changed.
    """
    named = context.find_root().params.get("config_path")
    path = (output or Path(named or "config.toml")).absolute()
    if os.path.lexists(path):
        raise CommandError(
            f"{path} exists already and was not changed. Edit it and run"
            " `connwatch config check`, or write another file with"
            " `connwatch config init --output FILE`"
        )
    token = _secret_place("token", token_env, token_file)
    channel = _secret_place("channel", channel_env, channel_file, is_none=no_channel)
    write_first_config(path, Prefilled(base_url, token, name, channel, no_channel))


@commands.command()
def check(
    context: typer.Context,
    *,
    is_offline: Annotated[bool, typer.Option("--offline", help="Do not read sources.")] = False,
) -> None:
    """Check the configuration file, and all files, variables and sources that it names."""
    from monitor.report.doctor import list_problems, list_remarks

    session: Session = context.obj
    config = session.config
    secrets = check_secrets(config)
    path = config.monitor.database_path
    problems = list_problems(config, secrets, path, utc_now())
    of_rows: list[Notice] = []
    if config.sources and not is_offline:
        session.quiet_logs()
        unreadable, of_rows = check_sources(config, problems)
        problems = [*problems, *unreadable]
    # Last: it opens the database, for which root becomes a user who may see less.
    remarks = [*list_remarks(config, secrets), *of_rows]
    for remark in _of_all_owners(session, remarks):
        typer.echo(f"note: {remark}", err=True)
    if problems:
        raise ConfigError(problems, session.path)
    typer.echo(
        f"{_shown(session.path)}: {format_count(len(config.connections), 'connection')},"
        f" {format_count(len(config.channels), 'channel')}, no problem found"
    )


def _of_all_owners(session: Session, remarks: Sequence[Notice]) -> Iterator[Notice]:
    """Yield *remarks*, and what the database adds: what was deleted, and what others have too."""
    from monitor.report.doctor import NO_CONNECTION
    from monitor.store.engine import StoreError

    try:
        known = session.read(partial(_look_up, session)) or _Known()
    except (CommandError, StoreError) as error:
        yield from remarks
        yield Notice("monitor.database", f"not looked at: {error}")
        return
    yield from (each for each in remarks if each != NO_CONNECTION or not known.has_others)
    yield from _deleted(session, known.deleted)
    yield from unused_groups(session.config, known.groups)
    for position, connection in enumerate(session.config.connections):
        if connection.name in known.shadowed:
            where = describe_owner(known.shadowed[connection.name])
            yield Notice(
                f"connections[{position}]",
                f'"{connection.name}" is also set up in {where}: the settings of the file are used',
            )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database has that concerns the file.

    Args:
        shadowed: The names of the file that others have too, each with the first of those.
        has_others: Others have connections.
        groups: The groups of all connections that it knows.
    """

    deleted: Collection[str] = ()
    shadowed: Mapping[str, str] = field(default_factory=dict)
    has_others: bool = False
    groups: Collection[str] = ()


def _look_up(session: Session, tx: Transaction) -> _Known:
    from monitor.store import connections, entries

    owners = [owner for owner in entries.list_all_owners(tx) if owner != OWNER_FILE]
    names = [each.name for each in session.config.connections]
    shadowed = entries.owners_of(tx, names, OWNER_FILE) if owners else {}
    groups = entries.list_groups_beside(tx, OWNER_FILE) if owners else ()
    return _Known(connections.list_deleted(tx), shadowed, bool(owners), groups)


def _deleted(session: Session, deleted: Collection[str]) -> Iterator[Notice]:
    """Yield the entries of the file that `delete` took out."""
    for position, connection in enumerate(session.config.connections):
        if connection.name in deleted:
            yield Notice(
                f"connections[{position}]",
                f'"{connection.name}" was deleted and is ignored although it stands here: take it'
                " out, or bring it back with:"
                f" connwatch resume {as_argument(connection.name)}",
            )


@commands.command()
def show(context: typer.Context, is_json: AsJson = False) -> None:
    """Show all settings in effect, and where each is set."""
    session: Session = context.obj
    settings = list_settings(session.config)
    if is_json:
        listed = [
            {"place": each.place, "value": each.value, "origin": each.origin.value}
            for each in settings
        ]
        print_json({"settings": listed})
        return
    rows = []
    for each in settings:
        origin = Text("" if each.origin is Origin.FILE else "default", "dim")
        rows.append(TableRow((each.place, each.value or '""', origin)))
    print_rows(open_console(), rows, ("SETTING", "VALUE", "FROM"))


@commands.command()
def schema() -> None:
    """Print a JSON Schema of the file, for editors."""
    print_json(json_schema())


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if TYPE_CHECKING:
    Run = Callable[[Sequence[str]], None]

UNIT = "connwatch.service"
CREDENTIAL = "secret_"
"""What the unit puts before the name of each file in the folder of secrets."""

_HIDDEN_FROM_UNITS = {"home", "root"}
"""What stands below these folders (`ProtectHome`)."""

_LARGEST_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Places:
    """Where a service belongs on a machine."""

    settings: Path = Path("/etc/connwatch")
    units: Path = Path("/etc/systemd/system")
    systemd: Path = Path("/run/systemd/system")

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.settings / "config.toml"

    @property
    def secrets(self) -> Path:
        """Return the folder of which the unit hands each file to the program."""
        return self.settings / "secrets"


def find_obstacle(places: Places, program: Path | None) -> str | None:
    """Return why no service can be made here, or None.

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
        return f"{taken[0]} exists already and was not changed"
    return None


def find_program() -> Path | None:
    """Return the command that was called, as a service can call it."""
    beside = Path(sys.executable).with_name("connwatch")
    found = str(beside) if beside.is_file() else shutil.which("connwatch")
    return None if found is None else Path(found)


def install_service(draft: ConfigDraft, places: Places, program: Path, run: Run) -> None:
    """Write the secrets, the file and the unit, and start the service.

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
        print_text(
            f"Put the secret into {places.secrets / name}, which only root may read (chmod 600)"
        )
    if missing:
        print_text("Then: systemctl enable --now connwatch")
        return
    run(["systemctl", "enable", "--now", UNIT])
    print_text("It runs, and starts with this machine: systemctl status connwatch")


def run_command(command: Sequence[str]) -> None:
    """Run *command*.

    Raises:
        CommandError: It failed; says what it said.
    """
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of ours
    if ended.returncode:
        said = ended.stderr.strip() or f"exit code {ended.returncode}"
        raise CommandError(f"{' '.join(command)}: {said}")


def _hand_over(draft: ConfigDraft) -> tuple[list[Table], dict[str, str], list[str]]:
    """Return the tables with systemd's credentials in place of all secrets.

    Beside them, the secrets by the name of their file, and the files that are
    missing because a secret cannot be read yet.
    """
    tables: list[Table] = []
    secrets: dict[str, str] = {}
    missing: list[str] = []
    for table in draft.tables:
        keys: dict[str, Value] = dict(table.keys)
        for key, kept in table.keys.items():
            if not isinstance(kept, SecretPlace):
                continue
            name = _name_apart(f"{table.keys['name']}-{key}", {*secrets, *missing})
            keys[key] = SecretPlace(SourceKind.CREDENTIAL, f"{CREDENTIAL}{name}")
            try:
                secrets[name] = _reveal(kept, draft.path.parent)
            except SecretUnavailable:
                missing.append(name)
        tables.append(replace(table, keys=keys))
    return tables, secrets, missing


def _name_apart(wanted: str, taken: Collection[str]) -> str:
    """Return a name like *wanted* that is not *taken*, as systemd takes it for credentials.

    It refuses the whole unit for a name with other letters than these, and
    passes over files whose name begins with a dot.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).lstrip(".-")
    tries = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
    return next(each for each in tries if each not in taken)


def _reveal(kept: SecretPlace, folder: Path) -> str:
    if kept.kind is SourceKind.LITERAL:
        return kept.value
    return Secret({kept.kind.value: kept.value}, folder).reveal()


def _secret_place(
    noun: str, variable: str | None, file: str | None, *, is_none: bool = False
) -> SecretPlace | None:
    """Return where a secret is kept, as the options say.

    Raises:
        CommandError: They contradict one another.
    """
    options = {f"--{noun}-env": variable, f"--{noun}-file": file, f"--no-{noun}": is_none or None}
    named = [option for option, value in options.items() if value is not None]
    if len(named) > 1:
        raise CommandError(f"only one of {' and '.join(named)} can be")
    if variable is not None:
        return SecretPlace(SourceKind.ENV, variable)
    return None if file is None else SecretPlace(SourceKind.FILE, at_home(file))


def write_first_config(path: Path, known: Prefilled) -> None:
    """Write a file to *path* from what is *known* and what the person says.

    Raises:
        CommandError: There is no terminal to ask on.
        ConfigError: What is known is of no use, or cannot be written.
    """
    draft = ConfigDraft(path)
    missing = _missing(known)
    if not missing:
        _fill(draft, known)
    elif sys.stdin.isatty():
        run_wizard(draft, known)
    else:
        raise CommandError(
            "there is no terminal to ask on, so these options are needed as well: "
            + "; ".join(missing)
        )
    problems = draft.problems()
    if problems:
        raise CommandError("; ".join(f"{place}: {why}" for place, why in problems.items()))
    if missing and _is_service_wanted():
        _make_service(draft)
        return
    write_new(path, starter_config(draft.tables))
    _print_next_steps(draft)


def _is_service_wanted() -> bool:
    """Ask whether it shall be a service of systemd, where that is possible."""
    if find_obstacle(Places(), find_program()) is not None:
        return False
    print_text("")
    return confirm("Install it as a systemd service now?")


def _make_service(draft: ConfigDraft) -> None:
    places, program = Places(), find_program()
    assert program is not None
    install_service(draft, places, program, run_command)
    typer.echo(f"Written: {places.config}, {places.secrets}/*, {places.units / UNIT}")
    typer.echo("\nNext: connwatch doctor")


def _fill(draft: ConfigDraft, known: Prefilled) -> None:
    """Add to *draft* what is *known*, which is all that it needs."""
    assert known.base_url is not None
    assert known.token is not None
    name = SOLDSCOPE_NAME if known.name is None else known.name
    keys: dict[str, Value] = {"name": name, "provider": "soldscope"}
    keys |= {"base_url": known.base_url, "token": known.token}
    draft.tables.append(Table(CONNECTIONS, keys))
    if known.channel is not None:
        draft.tables.append(channel_table(known.channel))


def _missing(known: Prefilled) -> list[str]:
    """Return the options that would say what is not known."""
    missing = []
    if known.base_url is None:
        missing.append("--base-url URL")
    if known.token is None:
        missing.append("--token-env NAME or --token-file FILE")
    if known.channel is None and not known.is_without_channel:
        missing.append("--channel-env NAME, --channel-file FILE or --no-channel")
    return missing


def _print_next_steps(draft: ConfigDraft) -> None:
    typer.echo(f"Written: {draft.path}, readable only by you.")
    todo = [line for table in draft.tables for line in _to_provide(table, draft.path.parent)]
    if todo:
        typer.echo("\nTo do:")
    for line in todo:
        typer.echo(f"  {line}")
    typer.echo(f"\nNext: connwatch{_option_for(draft.path)} config check")


def _to_provide(table: Table, folder: Path) -> Iterator[str]:
    """Yield what is left to do before the secrets of *table* can be read."""
    for key, value in table.keys.items():
        what = "the Apprise URL" if table.section == CHANNELS else f"the {key.replace('_', ' ')}"
        match value:
            case SecretPlace(SourceKind.ENV, name) if name not in os.environ:
                yield f"export {name}=...   # {what}"
            case SecretPlace(SourceKind.FILE, name) if not os.path.exists(folder / name):  # noqa: PTH110 - Path.exists raises where it may not look
                yield f"put {what} into {name}, which only you may read (chmod 600)"


def _option_for(path: Path) -> str:
    """Return what makes a command find *path*; nothing where it looks there anyway."""
    try:
        is_found = find_config(None) == path
    except ConfigError:
        is_found = False
    return "" if is_found else f" --config {shlex.quote(str(path))}"
