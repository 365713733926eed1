"""Pieces of the Experiment and Segments pages that have widgets. The address holds what is chosen, to be shared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.experiments import (
    DataError,
    DeclarationError,
    DesignError,
    Findings,
    Guess,
    Loaded,
    MetricGuess,
    Question,
    SavedExperiment,
    likely_control,
)
from core.web import html, signin
from core.web.actions import Told
from core.web.experiments import html as shapes
from core.web.experiments import reading
from core.web.experiments.reading import Filters
from core.web.views import experiment
from core.web.views.marks import Tone

_WAYS = ("A path on the server", "Upload", "Made-up learners")
_UPLOAD_MB = 500
_KINDS = ("mean", "rate", "roi", "ratio", "revenue", "completion", "churn")
_NONE = "(none)"


def choose(*, one_version: bool = False) -> SavedExperiment | None:
    """Offer the experiments there are; None before the first. `one_version`: those that compare nothing, too."""
    known = reading.saved() if one_version else reading.compared()
    if not known:
        return None
    key = st.query_params.get("experiment")
    one = reading.wanted(known, key)
    if key is not None and key != one.id:
        st.warning(f"There is no experiment {key} here; this is “{one.name}”.", icon=":material/search_off:")
    if len(known) > 1:
        labels = {each.id: experiment.label(each) for each in known}
        st.session_state["experiment-choice"] = one.id
        st.selectbox(
            "Experiment", list(labels), format_func=labels.__getitem__, key="experiment-choice", on_change=_choose,
            label_visibility="collapsed", width=420,
        )  # fmt: skip
    return one


def _choose() -> None:
    st.query_params.from_dict({"experiment": st.session_state["experiment-choice"]})


def analysed(one: SavedExperiment, filters: Filters = ()) -> tuple[Findings, Loaded]:
    """Return an experiment's findings and data; where they can't be had, say why and end the page."""
    try:
        return reading.analysed(one, filters)
    except (DataError, DesignError, DeclarationError, OSError, KeyError) as error:
        st.error(f"“{one.name}” can't be analysed: {error}.", icon=":material/draft:")
        if filters:
            st.button("Show all learners", key="all-learners", on_click=_clear)
        else:
            remove_button(one)
        st.stop()


def linked(label: str, options: Sequence[str], key: str, **look: Any) -> str:
    """Offer a choice that is in the address; return it."""
    wanted = st.query_params.get(key)
    now = wanted if wanted in options else options[0]
    if len(options) > 1:
        st.session_state[f"choice-{key}"] = now
        st.selectbox(label, options, key=f"choice-{key}", on_change=_link, args=(key,), **look)
    return str(now)


def _link(key: str) -> None:
    st.query_params[key] = st.session_state[f"choice-{key}"]


def warnings(doubts: Sequence[str]) -> None:
    """Say what makes the result doubtful."""
    for text in doubts:
        st.warning(text, icon=":material/warning:")


def downloads(one: SavedExperiment, found: Findings, data: Loaded) -> None:
    """Offer the report, all figures, and to remove the experiment."""
    with st.container(horizontal=True):
        st.download_button(
            "Report", lambda: reading.as_markdown(one, found), file_name=f"experiment-{one.id}.md",
            mime="text/markdown", icon=":material/download:", on_click="ignore", key="download-report",
        )  # fmt: skip
        st.download_button(
            "All figures, JSON", lambda: reading.as_json(one, found, data), file_name=f"experiment-{one.id}.json",
            mime="application/json", icon=":material/download:", on_click="ignore", key="download-json",
        )  # fmt: skip
        remove_button(one)


def download_segments(one: SavedExperiment, found: Findings) -> None:
    """Offer every segment's figures."""
    st.download_button(
        "Segments, CSV", lambda: reading.as_csv(found), file_name=f"segments-{one.id}.csv", mime="text/csv",
        icon=":material/download:", on_click="ignore", key="download-segments",
    )  # fmt: skip


def remove_button(one: SavedExperiment) -> None:
    """Offer to remove an experiment."""
    with st.popover("Remove", icon=":material/delete:"):
        st.write(f"Removes “{one.name}” from the list. Its data stay where they are, unless they were uploaded here.")
        st.button("Remove it", key="remove", type="primary", on_click=_remove, args=(one,))


def _remove(one: SavedExperiment) -> None:
    st.session_state["told"] = reading.remove(signin.person(), one)
    st.query_params.from_dict({})


def segments_link(one: SavedExperiment, found: Findings) -> None:
    """Lead to the other page, with the same experiment."""
    if found.segments:
        st.page_link(
            "../../pages/segments.py", label="For whom? By segment", icon=":material/donut_small:",
            query_params={"experiment": one.id},
        )  # fmt: skip


def business_link(one: SavedExperiment, found: Findings) -> None:
    """Lead to the Business case, with the lift of a metric, its interval and where it is from."""
    lifts = reading.lifts(one.id, reading.stamp(one.question), one, found)
    if lifts:
        with st.popover("What is it worth?", icon=":material/payments:"):
            metric = st.selectbox("The lift of", list(lifts), key="worth-metric")
            st.caption(f"{lifts[metric]['lift']}, with its 95 % interval in brackets.")
            st.page_link(
                "../../pages/business_case.py", label="Business case with this lift", icon=":material/calculate:",
                query_params=lifts[metric],
            )  # fmt: skip


# --- Filters ---------------------------------------------------------------------------------------------------------


def filters(one: SavedExperiment) -> Filters:
    """Return the levels that the address narrows the page to, of the experiment's own segments."""
    pairs = [text.partition("=") for text in st.query_params.get_all("where")]
    return tuple((name, level) for name, equals, level in pairs if equals and name in one.question.segments)


def filter_bar(now: Filters, found: Findings) -> None:
    """Show what the page is narrowed to, each to be taken away; and offer to narrow it without a mouse."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        for name, level in now:
            st.button(
                f"{name}: {level}", key=f"filter-{name}", icon=":material/close:", help="Show all of them again",
                on_click=_drop, args=(name,),
            )  # fmt: skip
        if found.design.segments:
            options = [f"{s.dimension}={s.level}" for s in _levels(found)]
            st.selectbox(
                "Only", options, index=None, key="narrow", placeholder="narrow to a level …", on_change=_narrow,
                width=280, label_visibility="collapsed",
            )  # fmt: skip


def narrowed_note(now: Filters) -> None:
    """Say that what was chosen by looking is a lead, and no result."""
    if now:
        where = ", ".join(f"{name} {level}" for name, level in now)
        st.caption(f"Only learners of {where}. What is found by narrowing down is a lead to test anew, not a result.")


def _levels(found: Findings) -> list[Any]:
    metric = found.design.metrics[0].name
    return [s for s in found.segments if s.metric.name == metric and s.treatment == found.treatments[0] and s.effect]


def _narrow() -> None:
    chosen = st.session_state.get("narrow")
    st.session_state["narrow"] = None
    if chosen:
        _add(*chosen.split("=", 1))


def choose_point(key: str) -> None:
    """Narrow the page to the level that was clicked in a chart."""
    points = st.session_state[key].selection.points
    if points and points[0].get("customdata", [""])[0]:
        dimension, level = points[0]["customdata"][:2]
        _add(dimension, level)


def _add(dimension: str, level: str) -> None:
    kept = [text for text in st.query_params.get_all("where") if not text.startswith(f"{dimension}=")]
    st.query_params["where"] = [*kept, f"{dimension}={level}"]


def _drop(dimension: str) -> None:
    kept = [text for text in st.query_params.get_all("where") if not text.startswith(f"{dimension}=")]
    if kept:
        st.query_params["where"] = kept
    else:
        _clear()


def _clear() -> None:
    st.query_params.pop("where", None)


# --- A new experiment ------------------------------------------------------------------------------------------------


def new_experiment(*, one_version: bool = False) -> None:
    """Choose data, see what its columns may be, put that right, and compare.

    `one_version`: learners who all had the same version will do, for halves that chance makes.
    """
    way = st.segmented_control(
        "Where from", _WAYS, default=_WAYS[0], required=True, key="new-way", label_visibility="collapsed"
    )
    if way == _WAYS[0]:
        source = st.text_input(
            "File or folder", key="new-path", placeholder="/data/experiment.parquet", max_chars=1000,
            help="CSV or Parquet, a row a learner. A folder is read as one table.",
        ).strip()  # fmt: skip
        name = Path(source).stem
    elif way == _WAYS[2]:
        _made_up()
        return
    else:
        upload = st.file_uploader(
            "Data", type=["csv", "gz", "tsv", "parquet"], key="new-file", max_upload_size=_UPLOAD_MB
        )
        source, name = _uploaded(upload), Path(upload.name).stem if upload is not None else ""
    if not source:
        return
    guess = reading.look(source, signin.person())
    if isinstance(guess, str):
        st.error(guess, icon=":material/error:")
        return
    _roles(source, name, guess, one_version)


def _uploaded(upload: Any) -> str:
    """Keep an uploaded file once, however often the page is drawn; return where."""
    if upload is None:
        return ""
    kept = st.session_state.get("new-kept")
    if kept is None or kept[0] != upload.file_id:
        try:
            path = reading.keep_upload(signin.person(), upload.name, upload.getbuffer())
        except OSError as error:
            path = f"The file can't be kept: {error.strerror}."
        if isinstance(path, str):
            st.error(path, icon=":material/error:")
            return ""
        st.session_state["new-kept"] = kept = (upload.file_id, str(path))
    return str(kept[1])


def _roles(source: str, name: str, guess: Guess, one_version: bool) -> None:
    names = [column.name for column in guess.columns]
    words = [column.name for column in guess.columns if column.levels]
    with st.grid(3, min_column_width=220):
        variant, control = _versions(source, guess, words, one_version)
        day = _optional("Day a learner came in", names, guess.day, f"new-day-{source}")
        learner = _optional("Learners' ids", names, guess.learner, f"new-learner-{source}")
        cluster = _optional("Randomised by (classes, schools)", names, "", f"new-cluster-{source}")
        segments = st.multiselect(
            "Segments", words, [s for s in guess.segments if s != variant], key=f"new-segments-{source}"
        )
    st.caption("Metrics: what is compared, the most important first.")
    edited = st.data_editor(
        [_row(metric) for metric in guess.metrics] or [_row(None)],
        num_rows="dynamic",
        hide_index=True,
        key=f"new-metrics-{source}",
        column_config={
            "use": st.column_config.CheckboxColumn("Use", default=True, width="small"),
            "name": st.column_config.TextColumn("Name", required=True),
            "kind": st.column_config.SelectboxColumn(
                "Kind", options=_KINDS, required=True, default="mean",
                help="roi, ratio: totals divided. revenue: may be capped. completion, churn: outcomes in a window.",
            ),
            "column": st.column_config.SelectboxColumn("Column", options=names, required=True),
            "second": st.column_config.TextColumn(
                "And", help="ratio: what divides. revenue: cap=99%. churn: EXPOSURE, DAYS. rate: =WORD|WORD.",
            ),
            "covariate": st.column_config.SelectboxColumn(
                "Known before", options=names, help="A number from before the experiment: takes noise away (CUPED)."
            ),
            "margin": st.column_config.TextColumn("Margin", help="-3%: 3 % less is still acceptable."),
            "lower": st.column_config.CheckboxColumn("Lower is better"),
        },
    )  # fmt: skip
    with st.expander("More", icon=":material/tune:"), st.grid(3, min_column_width=220):
        title = st.text_input("Name", name or "Experiment", key=f"new-name-{source}", max_chars=120)
        shares = st.text_input("Planned shares", key=f"new-shares-{source}", placeholder="equal; or old=9, new=1")
        alpha = st.number_input("Alpha", 0.001, 0.5, 0.05, 0.01, format="%.3f", key=f"new-alpha-{source}")
        fewest = st.number_input(
            "Fewest learners in a segment", 2, 100_000, 100, key=f"new-fewest-{source}",
            help="In each version; below it a segment is not shown.",
        )  # fmt: skip
        chance = st.toggle(
            "Versions were given by chance", True, key=f"new-random-{source}",
            help="If not, differences are shown and called differences, not effects.",
        )  # fmt: skip
    # No callback, which would have what was typed when the page was last drawn, not what was typed since.
    if st.button(
        "Check" if one_version else "Compare",
        key="new-start",
        type="primary",
        icon=":material/science:",
        disabled=not (variant and control) and not (one_version and not variant),
    ):
        _start(
            title, source, variant, control, edited, tuple(segments), day, learner, cluster, shares,
            float(alpha), int(fewest), chance,
        )  # fmt: skip
        st.rerun()


def _versions(source: str, guess: Guess, words: list[str], one_version: bool) -> tuple[str, str]:
    """Ask for the column of versions and the old one; "" where none is chosen."""
    if one_version:
        variant = _optional("Versions are in", words, guess.variant, f"new-variant-{source}")
        if variant is None:
            st.caption("All learners had one version: chance makes the halves.")
            return "", ""
    else:
        variant = st.selectbox("Versions are in", words, _place(words, guess.variant), key=f"new-variant-{source}")
    levels = list(guess.column(variant).levels) if variant else []
    control = st.selectbox(
        "The old version is", levels, _place(levels, likely_control(levels)), key=f"new-control-{variant}"
    )
    return variant or "", control or ""


def _place(options: Sequence[str], wanted: str) -> int | None:
    return options.index(wanted) if wanted in options else None


def _optional(label: str, names: Sequence[str], guessed: str, key: str) -> str | None:
    options = [_NONE, *names]
    chosen = st.selectbox(label, options, _place(options, guessed) or 0, key=key)
    return None if chosen == _NONE else chosen


def _row(metric: Any) -> dict[str, Any]:
    if metric is None:
        return dict.fromkeys(("name", "kind", "column", "second", "covariate", "margin"), "") | {
            "use": True,
            "lower": False,
        }
    return {
        "use": True,
        "name": metric.name,
        "kind": metric.kind,
        "column": metric.column,
        "second": metric.second,
        "covariate": metric.covariate or None,
        "margin": "",
        "lower": metric.lower_is_better,
    }


def _start(
    title: str, source: str, variant: str, control: str, edited: list[dict[str, Any]], segments: tuple[str, ...],
    day: str | None, learner: str | None, cluster: str | None, shares: str, alpha: float, fewest: int, chance: bool,
) -> None:  # fmt: skip
    rows = [row for row in edited if row.get("use") and row.get("name") and row.get("kind") and row.get("column")]
    planned = _shares(shares)
    if planned is None:
        st.session_state["told"] = Told(Tone.BAD, f"“{shares}” says no shares; expected such as old=9, new=1.")
        return
    question = Question(
        paths=(source,),
        variant=variant,
        control=control,
        metrics=tuple(_written(row) for row in rows),
        covariates=tuple(f"{row['name']}={row['covariate']}" for row in rows if row.get("covariate")),
        margins=tuple(f"{row['name']}={row['margin'].strip()}" for row in rows if (row.get("margin") or "").strip()),
        lower_is_better=tuple(row["name"] for row in rows if row.get("lower")),
        segments=tuple(name for name in segments if name != variant),
        cluster=cluster,
        learner=learner,
        day=day,
        expected=planned or None,
        alpha=alpha,
        fewest=fewest,
        randomised=chance,
    )
    told, key = reading.keep(signin.person(), " ".join(title.split()) or "Experiment", question)
    st.session_state["told"] = told
    if key:
        st.query_params.from_dict({"experiment": key})


def _shares(text: str) -> dict[str, float] | None:
    """Return planned shares, {} for none said; None where the text can't be understood."""
    out = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, share = (word.strip() for word in part.partition("="))
        try:
            out[name] = float(share.removesuffix("%"))
        except ValueError:
            return None
        if not equals or not name:
            return None
    return out


def _written(row: dict[str, Any]) -> str:
    """Write a row of the table as `canary experiment` takes it."""
    return MetricGuess(row["name"], row["kind"], row["column"], row.get("second") or "").written


def _made_up() -> None:
    learners = st.number_input("Learners", 2_000, 1_000_000, 100_000, 1_000, key="new-made-up")
    st.caption(
        "Half of them with the new version, with effects planted; everything found in them is labelled simulated."
    )
    if st.button("Compare made-up learners", key="new-made-up-start", type="primary", icon=":material/science:"):
        _make_up(int(learners))
        st.rerun()


def _make_up(learners: int) -> None:
    told, key = reading.make_up(signin.person(), learners)
    st.session_state["told"] = told
    if key:
        st.query_params.from_dict({"experiment": key})


def empty_state() -> None:
    """Draw what is to be seen before the first experiment: how to begin."""
    st.html(shapes.welcome())
    st.button(
        "Compare 100,000 made-up learners", key="new-demo", icon=":material/science:", type="primary",
        on_click=_make_up, args=(100_000,),
    )  # fmt: skip
    st.html(html.section("Or learners of your own"))
    new_experiment()
