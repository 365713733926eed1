"""What is known of where figures come from -> what the Sources page shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery import quantities
from core.delivery.words import duration
from core.metrics import FIGURES, GAUGES, FigureQuery, PrometheusSource, QueryState, Sender, SourceKnown
from core.web.views.marks import Headline, Mark, Tone
from core.web.views.times import ago, precise

_MARKS = {
    QueryState.OK: Mark(Tone.GOOD, "check_circle", "ok"),
    QueryState.NO_VALUES: Mark(Tone.WATCH, "sensors_off", "no values"),
    QueryState.NOT_A_NUMBER: Mark(Tone.WATCH, "help", "not a number"),
    QueryState.WRONG_SHAPE: Mark(Tone.BAD, "category", "wrong shape"),
    QueryState.BAD_QUERY: Mark(Tone.BAD, "error", "bad query"),
    QueryState.DENIED: Mark(Tone.BAD, "lock", "denied"),
    QueryState.UNREACHABLE: Mark(Tone.BAD, "cloud_off", "unreachable"),
    QueryState.NOT_ASKED: Mark(Tone.CALM, "hourglass_top", "not asked"),
}
_REPORTING = Mark(Tone.GOOD, "sensors", "reporting")
_QUIET = Mark(Tone.BAD, "sensors_off", "quiet")
_IDLE = Mark(Tone.CALM, "pause_circle", "not asked")
_STALE = Mark(Tone.BAD, "update_disabled", "not asked any more")
_SEVERITY = {Tone.GOOD: 0, Tone.CALM: 1, Tone.WATCH: 2, Tone.BAD: 3}
_SKEW_S = 5.0
STALE_S = 60.0
"""Wall seconds after which, on top of two spans, a source that is due to be asked should have been."""


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One figure's query.

    Attributes:
        mark: the worst state of all versions. query: as the file has it, or as it was sent.
        values: of each version, in the view's order; "" where there is none.
        said: what is to be known or mended, a sentence each.
    """

    figure: str
    mark: Mark
    query: str
    values: tuple[str, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceView:
    """One Prometheus: its state, what is to be known of it in a line, what is wrong with it ("" for nothing)."""

    name: str
    mark: Mark
    facts: tuple[str, ...]
    problem: str
    versions: tuple[str, ...] = ()
    rows: tuple[QueryRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SenderRow:
    """One that pushes. `notes`: what is not as it should be."""

    name: str
    flag: str
    mark: Mark
    heard: str
    rate: str
    total: str
    notes: tuple[str, ...]


def source_view(
    source: PrometheusSource | None, known: SourceKnown | None, wall: float, speed: float, flags: frozenset[str]
) -> SourceView:
    """Say how a source does.

    Args:
        source: as the file has it now; None: it isn't in the file, or the file can't be read.
        known: as its last poll left it; None: it was never asked.
        wall: time. speed: of the plan's clock. flags: that have a deployment to ask for.
    """
    name, flag, url = (known or source).name, (known or source).flag, (known or source).url  # type: ignore[union-attr]
    facts = [url, f"flag {flag}"]
    if known is None:
        problem = f"No deployment of flag {flag} is under way: it is asked when there is one."
        if flag in flags:
            problem = "Not asked yet: the monitor takes it over within seconds, once a sample's span has ended."
        return SourceView(name, _IDLE, tuple(facts), problem)
    facts += [
        f"asked {ago(wall - known.asked)}",
        f"took {precise(known.took_s)}",
        f"{known.samples:,} samples so far",
    ]
    versions = tuple(dict.fromkeys(query.version for query in known.queries))
    rows = _rows(known, source, versions)
    mark, problem = _state(known, rows, wall, speed, flag in flags)
    return SourceView(name, mark, tuple(facts), problem, versions, rows)


def _state(
    known: SourceKnown, rows: Sequence[QueryRow], wall: float, speed: float, has_deployment: bool
) -> tuple[Mark, str]:
    if known.problem:
        heard = "never" if known.heard is None else ago(wall - known.heard)
        return _MARKS[QueryState.UNREACHABLE], f"{known.problem[0].upper()}{known.problem[1:]}. Last answer: {heard}."
    if not has_deployment:
        return _IDLE, f"No deployment of flag {known.flag} is under way: nothing is asked."
    if wall - known.asked > 2 * known.sample_s / speed + STALE_S:
        return _STALE, "Nobody asks it: is a monitor running with CANARY_SOURCES?"
    bad = [row for row in rows if row.mark.tone is not Tone.GOOD]
    if not bad:
        return _MARKS[QueryState.OK], ""
    worst = Tone.BAD if any(row.mark.tone is Tone.BAD for row in bad) else Tone.WATCH
    return Mark(worst, "rule", f"{len(bad)} of {len(rows)} figures missing"), ""


def _rows(known: SourceKnown, source: PrometheusSource | None, versions: Sequence[str]) -> tuple[QueryRow, ...]:
    templates = {} if source is None else {figure.figure: figure.query for figure in source.figures}
    unit = source.unit if source is not None else "s"
    rows = []
    for figure in FIGURES:
        told = {query.version: query for query in known.queries if query.figure == figure}
        if not told:
            continue
        values = tuple(
            ""
            if (one := told.get(version)) is None or one.value is None
            else value_words(figure, one.value, unit, known.sample_s)
            for version in versions
        )
        worst = max(told.values(), key=lambda query: _SEVERITY[_MARKS[query.state].tone])
        words: dict[str, list[str]] = {query.said: [] for query in told.values() if query.said}
        for query in told.values():
            if query.said:
                words[query.said].append(query.version)
        said = tuple(
            text if len(whose) == len(versions) else f"{', '.join(whose)}: {text}" for text, whose in words.items()
        )
        rows.append(QueryRow(figure, _MARKS[worst.state], templates.get(figure, worst.query), values, said))
    return tuple(rows)


def value_words(figure: str, value: float, unit: str, sample_s: float) -> str:
    """Say a figure's value as people read it: "1,234 in 30 s", "182 ms", "99.95 %", "512 MB"."""
    if figure not in GAUGES:
        return f"{value:,.0f} in {duration(sample_s)}"
    if figure.startswith("latency_"):
        return f"{value * (1e3 if unit == 's' else 1.0):,.4g} ms"
    return quantities.say_bytes(value) if figure == "memory" else f"{100 * value:.4g} %"


def sender_row(sender: Sender, wall: float, quiet_after_s: float) -> SenderRow:
    """Say how somebody who pushes does."""
    quiet = sender.is_quiet(wall, quiet_after_s)
    notes = [f"{count:,} rejected: {reason}" for reason, count in sorted(sender.rejected.items())]
    if sender.dropped:
        notes.append(f"{sender.dropped:,} dropped by the sender, for want of room")
    if sender.repeated:
        notes.append(f"{sender.repeated:,} sent again, counted once")
    if sender.skew_s is not None and abs(sender.skew_s) > _SKEW_S:
        lead = "ahead of" if sender.skew_s > 0 else "behind"
        notes.append(f"its clock is {duration(abs(sender.skew_s))} {lead} ours")
    rate = "" if quiet else f"{sender.per_s:,.1f} records/s"
    if not quiet and sender.last == 0:
        rate = f"nobody asked for {' or '.join(sender.versions)}" if sender.versions else "a sign of life, nothing more"
    return SenderRow(
        sender.name,
        sender.flag,
        _QUIET if quiet else _REPORTING,
        ago(wall - sender.heard),
        rate,
        f"{sender.records:,} in {sender.batches:,} batches",
        tuple(notes),
    )


def headline(sources: Sequence[SourceView], senders: Sequence[SenderRow], mistakes: Sequence[str]) -> Headline:
    """Say in a sentence whether figures come."""
    if mistakes:
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        said = "What was asked before goes on being asked until it is mended; the file is read again by itself."
        return Headline(Mark(Tone.BAD, "error", "to mend"), f"The sources file has {count}.", said)
    if not sources and not senders:
        said = "Push them from your service with the client, or name a Prometheus in a sources file; both below."
        return Headline(_IDLE, "No figures have come yet.", said)
    away = [one.name for one in sources if one.mark in (_MARKS[QueryState.UNREACHABLE], _STALE)]
    broken = [one.name for one in sources if one.mark.tone is Tone.BAD and one.name not in away]
    quiet = [row.name for row in senders if row.mark is _QUIET]
    watch = [one.name for one in sources if one.mark.tone is Tone.WATCH]
    if away or broken:
        parts = [
            f"no answer from {_named(away)}" if away else "",
            f"queries to mend in {_named(broken)}" if broken else "",
        ]
        title = " and ".join(filter(None, parts))
        said = "No figure is no zero: a roll-out holds while its figures are missing, and goes back if they stay away."
        return Headline(Mark(Tone.BAD, "sensors_off", "figures missing"), f"{title[0].upper()}{title[1:]}.", said)
    if quiet and len(quiet) == len(senders):
        said = "Nothing comes from any sender, not even a sign of life."
        return Headline(_QUIET, f"Silence: {_named(quiet)} stopped sending.", said)
    if quiet or watch:
        parts = [f"{_named(quiet)} went quiet" if quiet else "", f"{_named(watch)} answers in part" if watch else ""]
        title = f"Figures come, but {' and '.join(filter(None, parts))}."
        return Headline(Mark(Tone.WATCH, "sensors", "in part"), title, "Others still report; see which below.")
    idle = all(one.mark is _IDLE for one in sources) and not senders
    if idle:
        return Headline(_IDLE, "Nothing is asked for.", "Sources are asked while a deployment is under way.")
    live = sum(one.mark is not _IDLE for one in sources)
    parts = [
        f"{live} asked" if live else "",
        f"{len(senders)} sending" if senders else "",
    ]
    return Headline(_REPORTING, "Figures come from every source.", ", ".join(filter(None, parts)) + ".")


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''}"


def how(figure: FigureQuery) -> str:
    """Say what is done with a query."""
    return "counted scrape by scrape" if figure.by_selector else "as the query computes it"
