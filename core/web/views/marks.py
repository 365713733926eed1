"""How states look: a tone, an icon and a word each, so that nothing is told by colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.delivery import FigureState, State


class Tone(StrEnum):
    """How much something wants to be looked at."""

    GOOD = "good"
    CALM = "calm"
    WATCH = "watch"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Mark:
    """A state to look at: `icon` is a Material Symbols name."""

    tone: Tone
    icon: str
    word: str


_FIGURES = {
    FigureState.PASS: Mark(Tone.GOOD, "check_circle", "pass"),
    FigureState.FAIL: Mark(Tone.BAD, "cancel", "fail"),
    FigureState.SILENT: Mark(Tone.BAD, "sensors_off", "silent"),
    FigureState.INCONCLUSIVE: Mark(Tone.WATCH, "help", "inconclusive"),
    FigureState.COLLECTING: Mark(Tone.CALM, "hourglass_top", "collecting"),
    FigureState.NOT_MEASURED: Mark(Tone.CALM, "do_not_disturb_on", "not measured"),
}
_STATES = {
    State.DRAFT: Mark(Tone.CALM, "edit_note", "draft"),
    State.SCHEDULED: Mark(Tone.CALM, "schedule", "scheduled"),
    State.RUNNING: Mark(Tone.GOOD, "play_circle", "running"),
    State.HOLDING: Mark(Tone.WATCH, "pause_circle", "holding"),
    State.ADVANCING: Mark(Tone.GOOD, "fast_forward", "advancing"),
    State.COMPLETED: Mark(Tone.GOOD, "task_alt", "completed"),
    State.ROLLED_BACK: Mark(Tone.BAD, "undo", "rolled back"),
    State.ABORTED: Mark(Tone.CALM, "block", "aborted"),
}
BREACHED = Mark(Tone.BAD, "gpp_bad", "trigger breached")
PENDING = Mark(Tone.CALM, "radio_button_unchecked", "to come")
NOT_REACHED = Mark(Tone.CALM, "remove", "not reached")


def figure_mark(state: FigureState) -> Mark:
    """Return how a figure's state looks."""
    return _FIGURES[state]


def state_mark(state: State) -> Mark:
    """Return how a deployment's state looks."""
    return _STATES[state]


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence that says what is going on."""

    mark: Mark
    title: str
    detail: str
