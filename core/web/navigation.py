"""The pages there are, in the order and the groups in which people look for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: its file in pages/ (which is its address, too, with "-" for "_"), title, icon and what it is for.

    `own_data`: it shows no deployment's figures, so what is simulated about one is not said there; it says its own.
    """

    name: str
    title: str
    icon: str
    help: str
    own_data: bool = False

    @property
    def path(self) -> str:
        """Its address, without the slash."""
        return self.name.replace("_", "-")


NAVIGATION: dict[str, tuple[Entry, ...]] = {
    "": (
        Entry("live", "Live", "monitor_heart", "The deployment under way, and what can be done about it."),
        Entry("checkpoints", "Checkpoints", "fact_check", "A report card for each checkpoint."),
        Entry("sign_off", "Sign-off", "draw", "What the leads are asked to agree to, and who has."),
        Entry("history", "History", "history", "Every event, who caused it and why."),
    ),
    "Learners": (
        Entry("cohorts", "Cohorts", "groups", "Who the learners are: all of them on one map.", own_data=True),
        Entry("learner", "Learner", "person_search", "One learner: events, traits, cohort, version.", own_data=True),
    ),
    "Experiments": (
        Entry(
            "experiment",
            "Experiment",
            "science",
            "Is the new version better? Effects with intervals, by day.",
            own_data=True,
        ),
        Entry("segments", "Segments", "donut_small", "For whom is it better? Effects by segment.", own_data=True),
        Entry(
            "instrument", "Instrument", "straighten", "Are the estimators good enough to measure with?", own_data=True
        ),
        Entry(
            "business_case",
            "Business case",
            "calculate",
            "What the new version is worth, and how sure that is.",
            own_data=True,
        ),
    ),
    "Running it": (
        Entry("on_call", "On call", "call", "Who is called about incidents, and whether messages arrive."),
        Entry("sources", "Sources", "sensors", "Where figures come from, and whether they come."),
        Entry(
            "rehearsal",
            "Rehearsal",
            "theater_comedy",
            "What an alarm would have caught, on your own records.",
            own_data=True,
        ),
        Entry("system", "System", "dns", "Monitor, database, versions, rollback drills."),
        Entry(
            "settings", "Settings", "tune", "What is set, where it comes from, and whether all is well.", own_data=True
        ),
    ),
}
"""The first group stands by itself in the bar; the others are menus. The first page is the one at "/"."""
