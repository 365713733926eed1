"""Nested records (xAPI, Caliper, edX, JSON lines with paths) as columns: one for each path that a mapping names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from core.learners.importing.chunk import Chunk
from core.learners.importing.documents import Found
from core.learners.importing.paths import Getter, getter
from core.learners.importing.rejected import Refusal

ROWS = 1 << 15
"""Records of a chunk."""

_BYTES = 32 << 20  # of text in a chunk: records may be long


def chunks(name: str, records: Iterable[Found], wanted: list[str]) -> Iterator[Chunk]:
    """Yield records as columns of text."""
    getters = [getter(path) for path in wanted]
    found: list[Found] = []
    refused: list[tuple[Refusal, str]] = []
    size = 0
    for one in records:
        if one.refusal is not None:
            refused.append((one.refusal, one.text))
        else:
            found.append(one)
        size += len(one.text)
        if len(found) >= ROWS or size > _BYTES or len(refused) >= ROWS:
            yield _chunk(name, found, wanted, getters, refused)
            found, refused, size = [], [], 0
    if found or refused:
        yield _chunk(name, found, wanted, getters, refused)


def _chunk(
    name: str,
    found: list[Found],
    wanted: list[str],
    getters: list[Getter],
    refused: list[tuple[Refusal, str]],
) -> Chunk:
    rows = [one.record or {} for one in found]
    return Chunk(
        file=name,
        columns={path: _column([get(row) for row in rows]) for path, get in zip(wanted, getters, strict=True)},
        lines=np.array([one.line for one in found], dtype=np.int64),
        original=lambda row: found[row].text,
        refused=refused,
        ids=np.array([_print(one.text) for one in found], dtype=np.uint64),
    )


def _column(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        # JSON can write half of a surrogate pair, which no text can hold.
        return pa.array([value and value.encode("utf-8", "backslashreplace").decode() for value in values], pa.string())


def _print(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
