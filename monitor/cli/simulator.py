"""Offer the simulator, alone (`simulate`) and with a daemon that watches it (`demo`)."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.errors import CommandError, print_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.simulator.server import Simulator

DEFAULT_PORT = 8090
LAST_PORT = 65_535

ACCOUNT = "acme"
TOKEN_NAMES = ("production", "staging")


def simulate(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=LAST_PORT, help="0 takes any free port.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Anyone who can reach this address can control it."),
    ] = "127.0.0.1",
) -> None:
    """Run a local SoldScope and Amazon with faults to switch on."""
    if not host.strip():
        raise CommandError("--host is empty, which means every address: name one, or 0.0.0.0")
    asyncio.run(_simulate(host, port))


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(metavar="N", min=1, help="End after this many seconds; default: at Ctrl-C."),
    ] = None,
) -> None:
    """Demonstrate connwatch with a simulator and throwaway data."""
    from monitor.cli.demo import run_demo

    async def run() -> None:
        with signals_set(stop := asyncio.Event()):
            await run_demo(stop, seconds)

    asyncio.run(run())


@contextmanager
def signals_set(stop: asyncio.Event) -> Iterator[None]:
    """Let Ctrl-C, a polite kill and a closed terminal set *stop*, and do nothing else."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _simulate(host: str, port: int) -> None:

    from monitor.simulator.server import start_simulator

    with signals_set(stop := asyncio.Event()):
        try:
            simulator = await start_simulator(host, port)
        except OSError as error:
            raise CommandError(_why_not_listening(host, port, error)) from error
        try:
            if not _is_loopback(host):
                print_error(
                    f"anyone who can reach {host} can control this simulator and use its tokens"
                )
            typer.echo(_introduce(simulator))
            await stop.wait()
        finally:
            await simulator.stop()
    typer.echo("stopped")


def _why_not_listening(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: name another one, or take any free one with --port 0"
    why = error.strerror or str(error)
    return f"cannot listen on {host}, port {port}: {why}; try the default address, or another port"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _introduce(simulator: Simulator) -> str:
    """Make tokens and stores, and say how to use them: this is their only showing."""
    from monitor.simulator.state import write_toml

    account = simulator.soldscope.account(ACCOUNT)
    tokens = {name: simulator.create_token(ACCOUNT, name).value for name in TOKEN_NAMES}
    listed = "\n".join(f"  {name:11} {value}" for name, value in tokens.items())
    tables = "\n".join(
        _TABLE.format(account=ACCOUNT, name=name, base_url=simulator.soldscope_url, token=value)
        for name, value in tokens.items()
    )
    stores = simulator.amazon.add_sample_stores(simulator.clock.now())
    return _INTRODUCTION.format(
        api=simulator.soldscope_url,
        lwa=simulator.lwa_token_url,
        controls=simulator.control_url,
        account=account.name,
        tokens=listed,
        tables=tables,
        amazon=write_toml(simulator.world, stores),
    )


_INTRODUCTION = """\
A SoldScope and an Amazon of your own serve here until Ctrl-C.

  API         {api}
  Amazon      {lwa}   (tokens; the regions are in the tables below)
  Controls    {controls}   (open it in a browser)

Tokens of {account}, which end with the simulator:
{tokens}

A config.toml to paste (then chmod 600 config.toml; connwatch check):

[checks]
every = "10s"
recheck_after = "1s"

{tables}
{amazon}"""

_TABLE = """\
[[connections]]
name = "{account}-{name}"
provider = "soldscope"
base_url = "{base_url}"
token = "{token}"
"""
