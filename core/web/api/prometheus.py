"""Prometheus' text format, version 0.0.4. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, kind ("gauge" or "counter"), what it means, and its value for each set of labels."""

    name: str
    kind: str
    text: str
    values: Mapping[Labels, float]


def exposition(families: Iterable[Family]) -> str:
    r"""Return metrics as text.

    >>> print(exposition([Family("up", "gauge", "Whether it runs.", {(("job", 'a"b'),): 1.0})]), end="")
    # HELP up Whether it runs.
    # TYPE up gauge
    up{job="a\"b"} 1.0
    """
    lines: list[str] = []
    for family in families:
        lines += [f"# HELP {family.name} {_escaped(family.text)}", f"# TYPE {family.name} {family.kind}"]
        for labels, value in family.values.items():
            inside = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels)
            lines.append(f"{family.name}{{{inside}}} {value!r}" if inside else f"{family.name} {value!r}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
