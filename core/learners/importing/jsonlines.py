"""JSON lines whose wanted keys are plain: read by Arrow, block by block, and by the slower reader where that fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from core.learners.importing import documents, fingerprint, records
from core.learners.importing.canonical import one_array
from core.learners.importing.chunk import Chunk
from core.learners.importing.files import Block, blocks, compact
from core.learners.importing.paths import steps

_KINDS = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
_PIECE = 1 << 20  # bytes
_LOOKED_AT = 100  # lines, for the types of a block's values


def is_flat(wanted: Iterable[str]) -> bool:
    """Say whether all paths are single keys."""
    return all(len(steps(path)) == 1 for path in wanted)


def read(path: Path, wanted: list[str]) -> Iterator[Chunk]:
    """Yield the records of a file with one JSON object a line, of which only single keys are wanted."""
    for block in blocks(path):
        chunk = _quick(str(path), block, wanted)
        if chunk is not None:
            yield chunk
        else:
            yield from records.chunks(str(path), documents.of_lines(str(path), block, []), wanted)


def _quick(name: str, block: Block, wanted: list[str]) -> Chunk | None:
    """Return a block's records as Arrow reads them; None where it can't, or might read something else than they say."""
    kinds = _kinds(block, wanted)
    if kinds is None:
        return None
    data, starts, ends = compact(block)
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(data),
            # In pieces, which Arrow reads at once; each has to hold the longest line.
            read_options=pyarrow.json.ReadOptions(block_size=max(_PIECE, int((ends - starts).max()) + 2)),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(list(kinds.items())), unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowException:
        return None
    if table.num_rows != block.starts.size:
        return None
    return Chunk(
        file=name,
        columns={key: one_array(table[key]) for key in kinds},
        lines=block.lines,
        original=block.text,
        refused=block.refused,
        ids=fingerprint.of_spans(block.data, block.starts, block.ends),
    )


def _kinds(block: Block, wanted: list[str]) -> dict[str, pa.DataType] | None:
    """Return the types of the wanted keys in a block's first lines; None where Arrow had better not read it."""
    if not block.starts.size or b"\r" in block.data:
        return None
    seen: dict[str, set[type]] = {str(steps(path)[0]): set() for path in wanted}
    for row in islice(range(block.starts.size), _LOOKED_AT):
        try:
            record = json.loads(block.text(row))
        except (ValueError, RecursionError):
            return None
        if type(record) is not dict or any(type(record.get(key)) is list for key in documents.LISTS):
            return None
        for key, kinds in seen.items():
            kinds.add(type(record.get(key)))
    found = {}
    for key, kinds in seen.items():
        kinds.discard(type(None))
        if kinds == {int, float}:
            kinds = {float}
        if len(kinds) > 1 or not kinds <= _KINDS.keys():
            return None
        # A key that isn't in the first lines may be anything later on, but text is the likeliest.
        found[key] = _KINDS[kinds.pop()] if kinds else pa.string()
    return found
