"""Pieces of the Rehearsal page: which record, which rows of it were healthy, and what came of it."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.delivery import calibration
from core.metrics import RecordedError, read_recorded
from core.web import reading, signin
from core.web.sources import may_not_read
from core.web.views.trial import columns_to_group_by

_WAYS = ("Upload", "A path on the server")
_UPLOAD_MB = 50


@dataclass(frozen=True, slots=True)
class Record:
    """A record to try on: its text, and what it is called."""

    text: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows are healthy and which are of faults: values of a column; "" for a file that is healthy as a whole."""

    by: str
    healthy: str
    faults: tuple[str, ...]
    allow: float


def choose_record() -> Record | None:
    """Offer ways to give a record; say what is wrong with one that can't be read."""
    way = st.segmented_control(
        "Where from", _WAYS, default=_WAYS[0], required=True, key="record-way", bind="query-params"
    )
    if way == _WAYS[0]:
        file = st.file_uploader("Recorded metrics, CSV", type=["csv"], key="record", max_upload_size=_UPLOAD_MB)
        return None if file is None else Record(file.getvalue(), file.name)
    path = st.text_input(
        "Path of a CSV file on the server", key="path", bind="query-params", placeholder="/srv/metrics/last-month.csv"
    ).strip()
    if not path:
        return None
    if why := may_not_read(reading.settings(), signin.person(), path):
        st.error(f"Not read: {why}.", icon=":material/lock:")
        return None
    try:
        return Record(Path(path).expanduser().read_bytes(), Path(path).name)
    except OSError as error:
        st.error(f"{path} can't be read: {error.strerror}.", icon=":material/error:")
        return None


def choose_rows(record: Record) -> Choice:
    """Offer the columns that may tell healthy from faulty, and their values; guess those that are called so."""
    rows = list(csv.DictReader(io.StringIO(record.text.decode("utf-8-sig", "replace"))))
    columns = columns_to_group_by(list(rows[0]) if rows else [])
    left, right, far = st.columns(3)
    by = left.selectbox(
        "Told apart by", columns, index=0 if columns else None, key="by", placeholder="nothing: all healthy"
    )
    allow = far.slider("Healthy spells that may be stopped, %", 0, 20, 5, key="allow")
    if not by:
        return Choice("", "", (), allow / 100)
    values = list(dict.fromkeys(row[by] for row in rows))
    first = next((i for i, v in enumerate(values) if "healthy" in v.lower() or "normal" in v.lower()), 0)
    healthy = str(right.selectbox("Healthy", values, index=first, key="healthy"))
    family = healthy.rpartition("/")[0]
    others = [v for v in values if v != healthy and "healthy" not in v.lower()]
    guess = [v for v in others if v.startswith(family)] if family else others
    chosen = st.multiselect("Faults, one record each", others, default=guess, key="faults")
    return Choice(str(by), healthy, tuple(chosen), allow / 100)


@st.cache_data(max_entries=20, show_spinner="Calibrating …")
def trial(record: Record, choice: Choice) -> tuple[calibration.Trial | None, str]:
    """Return what came of it, or why nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(record.name).name or "record.csv")
        path.write_bytes(record.text)
        try:
            if not choice.by:
                return calibration.try_records(read_recorded(path, version="healthy").groups[0], allow=choice.allow), ""
            groups = {g.value: g for g in read_recorded(path, version="healthy", by=choice.by).groups}
            faults = [groups[name] for name in choice.faults if name in groups]
            return calibration.try_records(groups[choice.healthy], faults, allow=choice.allow), ""
        except (RecordedError, calibration.CalibrationError) as error:
            return None, str(error).replace(f"{folder}/", "")
        except KeyError:
            return None, f"no row of {choice.healthy!r} could be used"
