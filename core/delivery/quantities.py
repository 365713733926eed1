"""How quantities are written in a plan and said to a person: "1.5 %", "250 ms", "2 min 30 s", "2025-10-31 12:00 UTC".

Reading and saying are inverse: what `say_*` writes, `read_*` understands. Every `read_*` raises `Misread`, whose text
says what was expected.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal

from core.yamlmarks import Misread

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_PART = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)")
_PER_CENT = re.compile(rf"([+-]?{_NUMBER})\s*%")
_PLAIN = re.compile(_NUMBER)
_WHOLE = re.compile(r"[0-9]{1,12}")
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?\s*(UTC|Z|[+-]\d\d:\d\d)",
    re.ASCII,
)

_SECONDS: dict[str, int] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
}
_SPOKEN_SECONDS = (("d", 86400), ("h", 3600), ("min", 60))
_MILLISECONDS = {"ms": Decimal(1), "s": Decimal(1000)}
_BYTES: dict[str, Decimal] = {
    "KB": Decimal(10**3),
    "MB": Decimal(10**6),
    "GB": Decimal(10**9),
    "KiB": Decimal(2**10),
    "MiB": Decimal(2**20),
    "GiB": Decimal(2**30),
}
_LONGEST_S = 3650 * 86400
_YEARS = range(1970, 2200)


def read_duration(text: str) -> float:
    """Read "30 s", "2 min", "1 h 30 min", "13 d" as seconds, over 0 and at most ten years."""
    expected = 'a duration with its unit, such as "30 s", "2 min", "4 h" or "13 d"'
    seconds, end = Decimal(0), 0
    for part in _PART.finditer(text):
        if text[end : part.start()].strip() or part[2] not in _SECONDS:
            raise Misread(expected)
        seconds, end = seconds + Decimal(part[1]) * _SECONDS[part[2]], part.end()
    if end == 0 or text[end:].strip():
        raise Misread(expected)
    if not 0 < seconds <= _LONGEST_S:
        raise Misread("a duration over 0 and at most 3650 d")
    return float(seconds)


def say_duration(seconds: float) -> str:
    """Say 150 as "2 min 30 s"; 7200 as "2 h"; 0.75 as "0.75 s". To the second from one second up."""
    if seconds < 1:
        return f"{_plain(seconds)} s"
    whole, parts = round(seconds), []
    for unit, size in _SPOKEN_SECONDS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    if whole:
        parts.append(f"{whole} s")
    return " ".join(parts)


def read_share(text: str) -> float:
    """Read "1 %", "99.95 %", "-5 %" as the fraction nearest to it."""
    match = _PER_CENT.fullmatch(text)
    if match is None:
        raise Misread('a percentage such as "1 %"')
    return float(Decimal(match[1]) / 100)


def say_share(fraction: float) -> str:
    """Say 0.015 as "1.5 %", 0.9995 as "99.95 %"."""
    return f"{_plain(Decimal(repr(fraction)) * 100)} %"


def read_milliseconds(text: str) -> float:
    """Read "250 ms" or "0.25 s" as milliseconds."""
    return _scaled(text, _MILLISECONDS, 'a latency such as "250 ms" or "1.5 s"')


def read_bytes(text: str) -> float:
    """Read "1 GB" (10^9) or "512 MiB" (2^20) as bytes."""
    return _scaled(text, _BYTES, 'an amount of memory such as "1 GB" or "512 MiB"')


def say_bytes(size: float) -> str:
    """Say 1e9 as "1 GB"."""
    unit = next((u for u in ("GB", "MB") if size >= _BYTES[u]), "KB")
    return f"{_plain(Decimal(repr(size)) / _BYTES[unit])} {unit}"


def read_count(text: str) -> int:
    """Read a whole number, 0 or more, without a unit."""
    if _WHOLE.fullmatch(text) is None:
        raise Misread('a whole number such as "0", without a unit')
    return int(text)


def read_probability(text: str) -> float:
    """Read "0.001" or "0.1 %" as a probability between 0 and 1, both excluded."""
    if _PLAIN.fullmatch(text):
        value = float(text)
    else:
        try:
            value = read_share(text)
        except Misread:
            value = -1.0
    if not 0 < value < 1:
        raise Misread('a probability between 0 and 1, such as "0.001" or "0.1 %"')
    return value


def read_moment(text: str) -> float:
    """Read "2025-10-31 12:00 UTC" (or Z, or +02:00) as seconds since 1970. The time zone has to be written."""
    match = _MOMENT.fullmatch(text)
    expected = 'a date and time with its zone, such as "2025-10-31 12:00 UTC"'
    if match is None:
        raise Misread(expected)
    year, month, day, hour, minute, second = (int(g or 0) for g in match.groups()[:6])
    if year not in _YEARS:
        raise Misread(f"a year from {_YEARS.start} to {_YEARS.stop - 1}")
    try:
        zone = dt.UTC if match[7] in {"UTC", "Z"} else dt.datetime.strptime(match[7], "%z").tzinfo
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=zone).timestamp()
    except ValueError:
        raise Misread(f"{expected}, that exists") from None


def say_moment(at: float) -> str:
    """Say a moment as "2025-10-31 12:00 UTC", with seconds where there are any."""
    moment = dt.datetime.fromtimestamp(round(at), dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC" if moment.second else "%Y-%m-%d %H:%M UTC")


def say_count(count: float) -> str:
    """Say 36000 as "36,000"."""
    return f"{round(count):,}"


def _scaled(text: str, units: Mapping[str, Decimal], expected: str) -> float:
    match = _PART.fullmatch(text)
    if match is None or match[2] not in units:
        raise Misread(expected)
    return float(Decimal(match[1]) * units[match[2]])


def _plain(number: float | Decimal) -> str:
    """Six significant decimals at most, no trailing zeros, never an exponent."""
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
