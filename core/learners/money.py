"""Revenue and cost of each learner, summed over a source's events, each event once."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from core.learners.importing.canonical import EVENT_ID, EXTRA_NUMBERS, FIELDS


def money_of(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    """Return learner_id, revenue and cost, one row a learner who has either; None where the source has neither.

    What one of the two isn't told of is null. An event repeats another as in `importing.collect`.
    """
    kept: list[pa.Table] = []
    for batch in batches:
        names = [name for name in EXTRA_NUMBERS if name in batch.schema.names]
        if not names:
            continue
        table = pa.Table.from_batches([batch])
        for name in EXTRA_NUMBERS:
            if name not in names:
                table = table.append_column(name, pa.nulls(len(table), pa.float64()))
        keys = ["learner_id", "ts", EVENT_ID] if EVENT_ID in table.schema.names else list(FIELDS)
        told = pc.or_(pc.is_valid(table["revenue"]), pc.is_valid(table["cost"]))
        kept.append(table.filter(told).select([*keys, *EXTRA_NUMBERS]))
    if not kept:
        return None
    columns = set(kept[0].schema.names).intersection(*(part.schema.names for part in kept))
    whole = pa.concat_tables([part.select([n for n in kept[0].schema.names if n in columns]) for part in kept])
    whole = whole.unify_dictionaries()
    keys = [name for name in whole.schema.names if name not in EXTRA_NUMBERS]
    plain = whole.set_column(0, "learner_id", whole["learner_id"].cast(pa.string()))
    once = plain.group_by(keys, use_threads=False).aggregate([(name, "first") for name in EXTRA_NUMBERS])
    sums = once.group_by("learner_id").aggregate([(f"{name}_first", "sum") for name in EXTRA_NUMBERS])
    return sums.rename_columns({f"{name}_first_sum": name for name in EXTRA_NUMBERS})
