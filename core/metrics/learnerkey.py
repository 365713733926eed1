"""Learners under another name: business figures are kept per learner, and learners' ids are not kept at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from core.store import secret_text


def learner_hasher(home: Path) -> Callable[[str], str]:
    """Return what turns a learner's id into 32 hex digits, by a key that never leaves `home`.

    With the key the same learner gets the same digits in every process; without it, nobody can try ids out.

    Raises:
        OSError, ValueError: the key can't be read or made.
    """
    key = bytes.fromhex(secret_text(home / "learner.key", lambda: secrets.token_hex(32)))

    def hashed(learner: str) -> str:
        return blake2b(learner.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()

    return hashed
