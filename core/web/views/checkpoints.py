"""Records -> the report cards of the Checkpoints page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery import CheckpointRecord, FigureState, Finding, Phase, Status
from core.delivery.words import duration, percent, place
from core.delivery.words import figure as say_figure
from core.delivery.words import limit as say_limit
from core.delivery.words import margin as say_margin
from core.web.views.marks import BREACHED, NOT_REACHED, PENDING, Mark, figure_mark
from core.web.views.rows import guardrail_row
from core.web.views.says import interval
from core.web.views.times import both_times, clock_time, precise


@dataclass(frozen=True, slots=True)
class CardLine:
    """One criterion or trigger on a report card."""

    mark: Mark
    label: str
    value: str
    interval: str
    baseline: str
    limit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ReportCard:
    """One checkpoint: judged, or still to come (`pending`).

    Attributes:
        title: "After 15 min". mark: the worst of its criteria. when: moment and lateness, in words.
        criteria, breached: what was judged; empty while pending. compared: comparisons with the baseline.
        summary: a sentence.
    """

    title: str
    mark: Mark
    when: str
    summary: str
    criteria: tuple[CardLine, ...]
    breached: tuple[CardLine, ...]
    pending: bool
    compared: tuple[CardLine, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseCards:
    """The report cards of one phase of one attempt."""

    attempt: int
    name: str
    share: str
    cards: tuple[ReportCard, ...]

    @property
    def title(self) -> str:
        """The phase's heading."""
        return f"{self.name.capitalize()} · {self.share} of the learners"


def attempts(status: Status, records: Sequence[CheckpointRecord]) -> list[int]:
    """Return the attempts there is something of, newest first."""
    return sorted({status.attempt, *(r.attempt for r in records)}, reverse=True)


def phase_cards(
    status: Status, records: Sequence[CheckpointRecord], attempt: int, now: float, speed: float = 1.0
) -> tuple[PhaseCards, ...]:
    """Return the report cards of an attempt, phase by phase, those to come included."""
    judged = {(r.phase, r.number): r for r in records if r.attempt == attempt}
    return tuple(
        PhaseCards(
            attempt,
            phase.name,
            percent(phase.share),
            tuple(
                _card(status, attempt, index, phase, number, judged.get((index, number)), now, speed)
                for number in range(
                    max(len(phase.checkpoints), 1 + max((n for p, n in judged if p == index), default=0))
                )
            ),
        )
        for index, phase in enumerate(status.plan.phases)
    )


def _card(
    status: Status,
    attempt: int,
    index: int,
    phase: Phase,
    number: int,
    record: CheckpointRecord | None,
    now: float,
    speed: float,
) -> ReportCard:
    planned = number < len(phase.checkpoints)
    title = f"After {duration(phase.checkpoints[number])}" if planned else "At the end of the extension"
    if record is None:
        mark, when = _to_come(status, attempt, index, phase, number, now, speed)
        return ReportCard(title, mark, when, "", (), (), True)
    late = f", {precise(record.late_s)} late" if record.late_s >= 0.1 else ", on time"
    criteria = tuple(card_line(f) for f in record.verdict.criteria)
    breached = tuple(card_line(f) for f in record.verdict.breached)
    met = sum(f.state.value == "pass" for f in record.verdict.criteria)
    summary = f"{met} of {len(criteria)} criteria met" + (f", {len(breached)} breached" if breached else "")
    # A split that is still being counted is nothing to keep.
    kept = (f for f in record.verdict.guardrails if f.guardrail is not None or f.state is not FigureState.COLLECTING)
    compared = tuple(compared_line(f) for f in kept)
    compared += tuple(compared_line(f) for f in record.verdict.triggers if f.p_value is not None)
    return ReportCard(
        title,
        figure_mark(record.verdict.state),
        clock_time(record.at) + late,
        summary,
        criteria,
        breached,
        False,
        compared,
    )


def _to_come(
    status: Status, attempt: int, index: int, phase: Phase, number: int, now: float, speed: float
) -> tuple[Mark, str]:
    if attempt != status.attempt or status.state.ended or index < status.phase:
        return NOT_REACHED, "ended or moved on before"
    if index > status.phase or status.phase_started is None:
        return PENDING, ""
    due = status.phase_started + phase.checkpoints[number]
    if due <= now:
        return Mark(PENDING.tone, "hourglass_top", "due"), f"due since {clock_time(due)}"
    return PENDING, f"in {both_times(due - now, speed)} ({clock_time(due)})"


def compared_line(finding: Finding) -> CardLine:
    """Return a comparison with the baseline in words: effect, its interval at every look, always-valid p."""
    guardrail = finding.guardrail
    label = finding.figure.label + (place(guardrail) if guardrail else "")
    row = guardrail_row(say_margin(guardrail) if guardrail else say_limit(finding.limit), label, finding)
    certainty = "; ".join(text for text in (row.certainty, row.more) if text)
    return CardLine(row.mark, label, row.effect or row.value, row.interval, row.baseline, certainty, finding.sentence)


def card_line(finding: Finding) -> CardLine:
    """Return a finding in words."""
    figure = finding.figure
    return CardLine(
        BREACHED if finding.then else figure_mark(finding.state),
        figure.label,
        "" if finding.value is None else say_figure(figure, finding.value),
        interval(figure, finding),
        "" if finding.baseline is None else say_figure(figure, finding.baseline),
        say_limit(finding.limit),
        finding.sentence,
    )
