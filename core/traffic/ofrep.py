"""The OpenFeature Remote Evaluation Protocol 0.3.0: requests read, answers written. Pure.

https://github.com/open-feature/protocol/blob/main/service/openapi.yaml
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from core.traffic.bucketing import Assignment
from core.traffic.switch import FlagUnknown, SwitchError

MAX_KEY = 1024
"""Characters of a targeting key."""


class Refused(Exception):
    """An evaluation that can't be done: the HTTP status and OFREP's code and words for it."""

    def __init__(self, status: int, code: str, details: str) -> None:
        super().__init__(details)
        self.status, self.code, self.details = status, code, details

    def body(self, flag: str | None = None) -> dict[str, Any]:
        """Return the answer's body; a bulk evaluation has no flag."""
        key = {} if flag is None else {"key": flag}
        return key | {"errorCode": self.code, "errorDetails": self.details}


def targeting_key(body: bytes) -> str:
    """Return the targeting key of an evaluation request.

    Raises:
        Refused: it isn't JSON, has no context, or no usable targeting key.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "PARSE_ERROR", "the body is not JSON") from error
    if not isinstance(asked, dict):
        raise Refused(400, "PARSE_ERROR", "expected a JSON object with `context`")
    context = asked.get("context", {})
    if not isinstance(context, dict):
        raise Refused(400, "INVALID_CONTEXT", "`context` is not an object")
    key = context.get("targetingKey")
    if key is None or key == "":
        raise Refused(400, "TARGETING_KEY_MISSING", "`context.targetingKey` is missing: send the learner's id")
    if not isinstance(key, str):
        raise Refused(400, "INVALID_CONTEXT", "`context.targetingKey` is not a string")
    if len(key) > MAX_KEY:
        raise Refused(400, "INVALID_CONTEXT", f"`context.targetingKey` is longer than {MAX_KEY} characters")
    return key


def refusal_of(error: SwitchError) -> Refused:
    """Return how OFREP says that a flag can't be evaluated; the client then uses its code default."""
    if isinstance(error, FlagUnknown):
        return Refused(404, "FLAG_NOT_FOUND", str(error))
    return Refused(500, "GENERAL", str(error))


def evaluation(assignment: Assignment) -> dict[str, Any]:
    """Return the answer to a single evaluation, which is also one flag of a bulk answer."""
    rule = assignment.rule
    split = 0.0 < rule.share < 1.0
    reason = ("SPLIT" if split else "STATIC") if rule.active else "DISABLED"
    return {
        "key": rule.flag,
        "value": assignment.value,
        "reason": reason,
        "variant": assignment.variant,
        "metadata": {"share": rule.share, "revision": rule.revision, "deployment": rule.deployment}
        | _freshness(assignment.stale),
    }


def _freshness(stale: str) -> dict[str, Any]:
    return {"stale": True, "staleReason": stale} if stale else {"stale": False}


def bulk(flags: Iterable[dict[str, Any]], *, stale: str = "") -> tuple[bytes, str]:
    """Return the body of a bulk answer and its ETag, which is the same as long as the body is.

    Args:
        flags: what `evaluation` returned, or `Refused.body`, of each flag.
        stale: why the flags may be out of date; "" when they are not.
    """
    answer = {"flags": list(flags), "metadata": _freshness(stale)}
    body = json.dumps(answer, separators=(",", ":")).encode("ascii")
    return body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Say whether an If-None-Match header has this ETag (compared weakly, RFC 9110 13.1.2)."""
    given = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in given or etag in given
