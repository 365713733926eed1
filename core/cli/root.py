"""The command line's root, and what every command opens."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import ValidationError

import core
from core.cli.output import USAGE, fail
from core.delivery import Deliveries
from core.identity import PeopleError, PeopleFile, Person
from core.settings import Settings, get_settings
from core.store import Store
from core.traffic import SwitchSettings, open_flags, open_switch

app = typer.Typer(
    name="canary",
    help="Roll out a new version safely: 1 % → 10 % → 100 %, watched, rolled back by itself or at one command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
DeploymentId = Annotated[
    str | None, typer.Option("--deployment", metavar="ID", help="Which deployment; default: the only active one.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the event log.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"canary {core.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Roll out a new version safely: 1 % → 10 % → 100 %, watched, rolled back by itself or at one command."""


def settings() -> Settings:
    """Return the settings, or end with a sentence for each that is wrong."""
    try:
        return get_settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        fail(f"settings (CANARY_* or canary.toml): {problems}", USAGE)


@contextmanager
def store() -> Iterator[Store]:
    """Open the store for one command."""
    at = settings()
    opened = Store.open(at.url, at.home)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def deliveries() -> Iterator[Deliveries]:
    """Open the store and the switch for one command. Works with no server running: a rollback is done from here."""
    at = settings()
    with store() as opened:
        try:
            switch = open_switch(at, open_flags(at, opened))
        except SwitchSettings as error:
            fail(f"settings (CANARY_* or canary.toml): {error}", USAGE)
        yield Deliveries(opened, switch)


def actor() -> str:
    """Return who is at the keyboard, for the event log."""
    return f"cli:{_login()}"


def this_person() -> Person:
    """Return who is at the keyboard, with the seats that the file of people gives them."""
    at = settings()
    try:
        return PeopleFile(at.people).read().login(_login())
    except PeopleError as error:
        fail(str(error))


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
