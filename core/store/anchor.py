"""The event log's head, kept outside the database, so that a cut or rewritten log is noticed.

The file says how long the chain was and what its last hash was when it was last written. Whoever changes the database
can make the chain consistent again, but not with a file that lies elsewhere (or was copied elsewhere).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.store.eventlog import GENESIS, Head
from core.store.files import locked, replace_file

FILE = "anchor.json"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the file says.

    Attributes:
        count, hash: length of the chain and its last hash.
        first: hash of the chain's first event, which tells chains apart; "" of an empty one.
        since: how long the chain was when this file was begun: 0, unless an older file was lost.
        wall: wall time of writing.
    """

    count: int
    hash: str
    first: str
    since: int
    wall: float


class AnchorDamaged(Exception):
    """There is an anchor file but it doesn't read as one."""


def read_anchor(home: Path) -> Anchor | None:
    """Return the anchor; None where there is no file.

    Raises:
        AnchorDamaged: the file is there and isn't an anchor.
    """
    try:
        fields = json.loads((home / FILE).read_text(encoding="utf-8"))
        return Anchor(
            int(fields["count"]), str(fields["hash"]), str(fields["first"]), int(fields["since"]), float(fields["wall"])
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise AnchorDamaged(f"{home / FILE} can't be read as an anchor") from error


def advance(home: Path, head: Head, hash_at: Callable[[int], str | None]) -> str:
    """Move the anchor on to the chain's end, never back, whichever process does it and whenever it stops.

    An anchor that isn't part of the chain stays as it is: it is the evidence that the chain was tampered with.

    Args:
        home: directory of the file.
        head: end of a chain that is committed.
        hash_at: the hash of the chain's event with a given `seq`; None where there is none.

    Returns:
        Why the anchor was left alone though the chain has gone on; "" normally.
    """
    with locked(home / "anchor.lock"):
        try:
            anchor = read_anchor(home)
        except AnchorDamaged as error:
            return str(error)
        if anchor is None:
            anchor = Anchor(0, GENESIS, "", since=head.count, wall=0.0)
        elif anchor.count >= head.count:
            return ""
        elif anchor.count > 0 and hash_at(anchor.count) != anchor.hash:
            return f"the event log doesn't go on from event {anchor.count} as {home / FILE} has it"
        first = anchor.first or (hash_at(1) or "" if head.count > 0 else "")
        moved = replace(anchor, count=head.count, hash=head.hash, first=first, wall=time.time())
        replace_file(home / FILE, json.dumps(asdict(moved), indent=1) + "\n")
    return ""
