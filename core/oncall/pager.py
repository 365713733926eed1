"""The pager: calls who is on call about open incidents, level by level, until somebody acknowledges.

One pager acts at a time, by a lease. What is to be sent is committed first, then sent, then marked: a crash in between
sends a message twice at worst, never not at all. A message that can't be delivered is tried again, less and less often.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select, update

from core.delivery import Deliveries, Unknown
from core.oncall import records
from core.oncall.message import call_text, event_text
from core.oncall.records import DUE, Call
from core.oncall.roster import LEVELS, Member, Roster, steps_due
from core.oncall.rosterfile import RosterError, load_roster
from core.settings import Settings
from core.store import (
    Fenced,
    StoreUnavailable,
    Tx,
    acquire_lease,
    beat,
    events,
    head_of,
    hold_fence,
    release_lease,
    schema,
)

logger = logging.getLogger(__name__)

LEASE = "on-call"
ACTOR = "on-call"
PERIOD_S = 5.0
LEASE_S = 45.0
RETRY_S = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0)
"""Wall seconds until a message that was not delivered is tried again; then it is given up."""
_CURSOR = "on-call"
_TOLD_AT_ONCE = 20
EVERYBODY = "everybody"

Send = Callable[[str, str, str], str]
"""Sends subject and body to a URL; returns what went wrong, "" for nothing."""


def send(url: str, subject: str, body: str) -> str:
    """Send by Apprise. Its own words may hold the URL, so only that it failed is said."""
    import apprise  # a hundred services: nobody waits for them who calls nobody

    sender = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True))
    if not sender.add(url):
        return "Apprise does not know this URL"
    service = sender[0].service_name or "the service"
    try:
        return "" if sender.notify(body=body, title=subject) else f"{service} did not take it"
    except (OSError, TypeError, ValueError, LookupError) as error:  # what a service's plug-in may make of a bad answer
        return f"{service}: {type(error).__name__}"


class Pager:
    """Calls people for one installation.

    Args:
        roster: file that says whom. url: of the dashboard, for links. send: see `Send`.
    """

    def __init__(
        self, deliveries: Deliveries, roster: Path, url: str, send_: Send = send, holder: str | None = None
    ) -> None:
        self.deliveries, self.store = deliveries, deliveries.store
        self.path, self.url, self._send = roster, url.rstrip("/"), send_
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._token: int | None = None
        self._roster: Roster | None = None
        self._read: tuple[int, int] | None = None

    def run(self, stop: threading.Event) -> None:
        """Look again and again until told to stop; nothing that goes wrong ends it."""
        while not stop.is_set():
            try:
                self.tick(time.time())
            except StoreUnavailable as error:
                logger.error("the pager can't reach its database: %s", error)
            except Exception:
                logger.exception("the pager failed; it tries again")
            stop.wait(PERIOD_S)
        if self._token is not None:
            release_lease(self.store, LEASE, self._token)

    def tick(self, now: float) -> bool:
        """Look once: note what is due, then send it. False where another pager is at work or there is no roster."""
        roster = self.roster()
        if roster is None:
            return False
        self._token = acquire_lease(self.store, LEASE, self.holder, LEASE_S)
        if self._token is None:
            return False
        try:
            self._note_calls(roster, now)
            self._note_events(roster, now)
            self._send_due(roster, now)
        except Fenced:
            logger.warning("this pager has lost its lease")
            self._token = None
            return False
        return True

    def roster(self) -> Roster | None:
        """Return the roster as it is now; where the file has become wrong the one before, so that people are called."""
        try:
            at = self.path.stat()
            if (at.st_mtime_ns, at.st_size) != self._read:
                self._roster, self._read = load_roster(self.path), (at.st_mtime_ns, at.st_size)
        except (OSError, RosterError) as error:
            logger.error("the roster can't be used%s: %s", ", the one before is" if self._roster else "", error)
        return self._roster

    def _fence(self, tx: Tx) -> None:
        if self._token is None:
            raise Fenced("this pager holds no lease")
        hold_fence(tx, LEASE, self._token)

    def _note_calls(self, roster: Roster, now: float) -> None:
        with self.store.read() as connection:
            waiting = [o for o in records.open_incidents(connection) if o.ack is None]
            known = {(c.incident, c.step) for c in records.calls(connection, limit=10_000) if c.incident}
        for one in waiting:
            for step in steps_due(roster, one.opened, now):
                if (one.incident.id, step.number) in known:
                    continue
                level, member = _somebody(roster, step.level, now)
                if member is None:
                    logger.error("nobody is on call: step %d of incident %s is skipped", step.number, one.incident.id)
                    continue
                self._note_call(roster, one, member, step.number, level, now)
        with self.store.transaction() as tx:
            self._fence(tx)
            beat(tx, LEASE, self._token or 0, LEASE_S, 0.0, 0.0)

    def _note_call(
        self, roster: Roster, one: records.OpenIncident, member: Member, step: int, level: str, now: float
    ) -> None:
        try:
            status = self.deliveries.status(one.incident.deployment)
        except Unknown:
            status = None
        with self.store.transaction() as tx:
            self._fence(tx)
            if one.incident.id in records.acknowledgements(tx.connection):
                return
            secret = records.make_link(tx, one.incident.id, member.address, now + roster.valid_s)
            link = f"{self.url}/on-call/ack/{secret}"
            subject, body = call_text(one.incident, status, level, one.opened, now, link)
            records.add_call(
                tx,
                Call(
                    _id(one.incident.id, step, member.name), one.incident.id, one.incident.deployment, step, level,
                    member.name, subject, body, DUE, 0, now, now, None, "",
                ),
                ACTOR,
            )  # fmt: skip

    def _note_events(self, roster: Roster, now: float) -> None:
        """Note messages about events since the last look; those from before the roster was first used are not told."""
        table = schema.oncall_cursor
        with self.store.transaction() as tx:
            self._fence(tx)
            seen = tx.connection.scalar(select(table.c.seq).where(table.c.name == _CURSOR))
            head = head_of(tx.connection).count
            if seen is None:
                tx.connection.execute(insert(table), {"name": _CURSOR, "seq": head})
                return
            if seen >= head:
                return
            found = events(tx.connection, after=seen, limit=_TOLD_AT_ONCE)
            for event in found:
                if event.kind not in roster.kinds or not roster.tell:
                    continue
                url = f"{self.url}/?deployment={event.deployment}"
                subject, body = event_text(event, event.deployment or "this installation", url)
                number, who = _id("", event.seq, EVERYBODY), (event.deployment, event.seq, "tell", EVERYBODY)
                records.add_call(tx, Call(number, "", *who, subject, body, DUE, 0, now, now, None, ""), ACTOR)
            last = found[-1].seq if found else head
            tx.connection.execute(update(table).where(table.c.name == _CURSOR).values(seq=last))

    def _send_due(self, roster: Roster, now: float) -> None:
        with self.store.read() as connection:
            due = records.calls(connection, due_by=now)
        for call in due:
            with self.store.transaction() as tx:
                self._fence(tx)
                # Not before it may have been sent can it be tried again: by us, or by who takes over after a crash.
                if not records.claim(tx, call, now + RETRY_S[min(call.attempts, len(RETRY_S) - 1)]):
                    continue
            member = roster.members.get(call.person)
            urls = member.urls if member is not None else roster.tell if call.level == "tell" else ()
            problems = [self._send(url, call.subject, call.body) for url in urls]
            # One channel that took it is enough: the others are for when it doesn't.
            failed = all(problems) if problems else True
            with self.store.transaction() as tx:
                self._fence(tx)
                if not failed:
                    records.note_sent(tx, call, time.time(), ACTOR)
                else:
                    error = (
                        "; ".join(dict.fromkeys(p for p in problems if p)) or "the roster has no URL for them any more"
                    )
                    last = call.attempts + 1 >= len(RETRY_S)
                    again = None if last else now + RETRY_S[call.attempts]
                    records.note_failed(tx, call, error, again, ACTOR)


def open_pager(deliveries: Deliveries, settings: Settings) -> Pager | None:
    """Return the pager of an installation; None where no roster says who is on call.

    Raises:
        RosterError: the roster can't be used: said at the start, not at three in the morning.
    """
    if settings.roster is None:
        return None
    load_roster(settings.roster)
    url = settings.public_url or f"http://{settings.host}:{settings.port}"
    return Pager(deliveries, settings.roster, url)


def _somebody(roster: Roster, level: str, now: float) -> tuple[str, Member | None]:
    """Return who is on call at a level, or at the first one above it that has somebody."""
    for further in LEVELS[LEVELS.index(level) :]:
        if (member := roster.on_call(further, now)) is not None:
            return further, member
    return level, None


def _id(incident: str, step: int, person: str) -> str:
    """Return a call's id: the same for the same call, so that it is noted once."""
    return hashlib.sha256(f"{incident}|{step}|{person}".encode()).hexdigest()[:24]
