"""Who is in which cohort, and with which traits, as Parquet: one row a learner, written a piece at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.learners.cohorts import features_of
from core.learners.events import EventsError
from core.learners.model import CohortModel
from core.learners.traits import AFFINITIES, LOW_EVIDENCE, NOT_KNOWN, TRAJECTORIES, TRENDS

MODEL_KEY = b"cohort_canary.model"
"""Under which the file's metadata hold the model, as `CohortModel.from_json` reads it, for scoring new learners."""

COLUMNS = (
    "velocity",
    "trend",
    "entropy_bits",
    "concentration",
    "top_domain",
    "top_share",
    "affinity",
    "reuse_rate",
    "recency_weighted_reuse",
    "half_life_days",
    "trajectory",
    "frequency",
    "responsiveness",
    "events",
)
"""Traits, between `learner_id` and `cohort`, `archetype`; those of `FURTHER` come after."""

FURTHER = (
    "older",
    "transfer",
    "recall_half_life_days",
    "events_per_week",
    "velocity_score",
    "affinity_score",
    "retention_score",
)

_WORDS = {"trend": TRENDS, "affinity": AFFINITIES, "trajectory": TRAJECTORIES}
_PIECE = 1 << 18  # rows of a row group
_TEXT = pa.dictionary(pa.int32(), pa.string())


def write_cohorts(
    path: Path, learners: pa.Array, table: NDArray[np.void], domains: tuple[str, ...], model: CohortModel
) -> None:
    """Write one row a learner; the file is there whole or not at all.

    Args:
        learners: ids, shape (L,). table: their traits, dtype `traits.TRAITS`, shape (L,).
        domains: the vocabulary of `top_domain`.

    Raises EventsError when it can't be written.
    """
    schema = _piece(learners[:0], table[:0], domains, model).schema
    schema = schema.with_metadata({MODEL_KEY: model.to_json().encode()})
    words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            with pq.ParquetWriter(new, schema, compression="zstd", use_dictionary=words) as writer:
                for first in range(0, len(learners), _PIECE):
                    rows = slice(first, first + _PIECE)
                    writer.write_table(_piece(learners[rows], table[rows], domains, model).cast(schema))
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise EventsError(f"{path}: can't be written: {error.strerror or error}") from None


def _piece(learners: pa.Array, table: NDArray[np.void], domains: tuple[str, ...], model: CohortModel) -> pa.Table:
    label = model.assign(table)
    columns = {"learner_id": learners.cast(pa.string())}
    columns |= {name: _column(table, name, domains) for name in COLUMNS}
    columns["cohort"] = pa.array(label.astype(np.int32), mask=label == NOT_KNOWN)
    columns["archetype"] = _words(label, tuple(cohort.archetype for cohort in model.cohorts))
    columns |= {name: _column(table, name, domains) for name in FURTHER}
    columns["low_evidence"] = pa.array(table["events"] < LOW_EVIDENCE)
    columns["imputed"] = pa.array(model.scaler.imputed(features_of(table)), mask=label == NOT_KNOWN)
    return pa.table(columns)


def _column(table: NDArray[np.void], name: str, domains: tuple[str, ...]) -> pa.Array:
    values = np.ascontiguousarray(table[name])
    if name in _WORDS or name == "top_domain":
        return _words(values, _WORDS.get(name, domains))
    return pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)


def _words(codes: NDArray[Any], words: tuple[str, ...]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes == NOT_KNOWN)
    # One vocabulary in all row groups, though archetypes may be there twice.
    distinct = list(dict.fromkeys(words))
    places = np.array([distinct.index(word) for word in words] or [0], dtype=np.int32)
    if len(distinct) < len(words):
        indices = pa.array(places[np.maximum(codes, 0)], mask=codes == NOT_KNOWN)
    return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string())).cast(_TEXT)
