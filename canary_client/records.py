"""One request or probe as the server takes it: built and checked where it happens, so that no batch is refused."""

from __future__ import annotations

import math
import re
from typing import Any

MAX_NAME = 200
_NAME = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{MAX_NAME}}}")
_MAX_LATENCY_MS = 1e9
_MAX_AMOUNT = 1e15


class Invalid(ValueError):
    """Something that can't be told to the server; the text names the field and what was expected."""


def request(
    ts: float,
    learner: Any,
    version: Any,
    latency_ms: Any = None,
    ok: Any = True,
    fallback: Any = False,
    compared: Any = False,
    disagreed: Any = False,
    segment: Any = "",
    region: Any = "",
    revenue: Any = 0.0,
    cost: Any = 0.0,
) -> dict[str, Any]:
    """Return a request record; what says nothing is left out. Raises Invalid."""
    record: dict[str, Any] = {"ts": ts, "learner": _name("learner", learner), "version": _name("version", version)}
    if latency_ms is not None:
        record["latency_ms"] = _number("latency_ms", latency_ms, 0.0, _MAX_LATENCY_MS)
    if not ok:
        record["ok"] = False
    for field, told in (("fallback", fallback), ("compared", compared), ("disagreed", disagreed)):
        if told:
            record[field] = True
    for field, name in (("segment", segment), ("region", region)):
        if name:
            record[field] = _name(field, name)
    for field, amount in (("revenue", revenue), ("cost", cost)):
        if amount:
            record[field] = _number(field, amount, -_MAX_AMOUNT, _MAX_AMOUNT)
    return record


def probe(ts: float, version: Any, ok: Any) -> dict[str, Any]:
    """Return a probe record. Raises Invalid."""
    return {"ts": ts, "version": _name("version", version), "ok": bool(ok)}


def _name(field: str, value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or _NAME.fullmatch(text) is None:
        raise Invalid(f"{field}: expected a text of 1 to {MAX_NAME} printable characters")
    return text


def _number(field: str, value: Any, least: float, greatest: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not least <= number <= greatest:
        raise Invalid(f"{field}: expected a number from {least:g} to {greatest:g}")
    return number
