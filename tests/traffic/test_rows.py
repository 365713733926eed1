"""Which of a flag's deployments decides it."""

from __future__ import annotations

import itertools
from typing import Any

from core.traffic.rows import Row, rule_of


def row(name: str, state: str, share: float = 0.0, **more: Any) -> Row:
    started = {"phase": -1} if state in {"draft", "scheduled"} else {"phase": 0, "phase_started": 10.0}
    told = {"created": 1.0} | started | more
    return Row(name, "analyzer", f"{name}-old", f"{name}-new", "salt", state, 1, share, **told)


def served(*rows: Row) -> tuple[str, float]:
    """Return (deployment, share), the same in whatever order the rows come."""
    found = {(r.deployment, r.share) for order in itertools.permutations(rows) if (r := rule_of(list(order)))}
    assert len(found) == 1
    return found.pop()


def test_no_deployment_no_rule() -> None:
    assert rule_of([]) is None


def test_a_draft_is_a_flag_that_is_off() -> None:
    rule = rule_of([row("a", "draft", share=0.5)])
    assert rule is not None
    assert (rule.active, rule.share, rule.baseline) == (False, 0.0, "a-old")


def test_a_running_one_decides() -> None:
    assert served(row("a", "completed", 1.0), row("b", "running", 0.1)) == ("b", 0.1)
    assert served(row("a", "rolled back", 0.0, rolled_back_at=99.0), row("b", "holding", 0.1)) == ("b", 0.1)


def test_a_completed_one_goes_on_while_the_next_is_a_draft_or_was_given_up_as_one() -> None:
    done = row("a", "completed", 1.0)
    assert served(done, row("b", "draft", created=50.0)) == ("a", 1.0)
    assert served(done, row("b", "scheduled", created=50.0)) == ("a", 1.0)
    assert served(done, row("b", "aborted", created=50.0, phase=-1, phase_started=None, judged_at=60.0)) == ("a", 1.0)


def test_rolling_back_gives_that_deployments_baseline_and_not_an_older_ones_candidate() -> None:
    done = row("a", "completed", 1.0, judged_at=500.0)  # its checkpoints go on, which moves no traffic
    back = row("b", "rolled back", 0.0, phase_started=20.0, rolled_back_at=30.0, created=15.0)
    assert served(done, back) == ("b", 0.0)


def test_rolling_back_a_completed_one_counts_though_a_later_one_was_rolled_back_before() -> None:
    first = row("a", "rolled back", 0.0, phase_started=10.0, rolled_back_at=90.0)
    second = row("b", "rolled back", 0.0, phase_started=20.0, rolled_back_at=30.0, created=15.0)
    assert served(first, second) == ("a", 0.0)


def test_an_aborted_one_serves_its_baseline_even_if_its_row_says_a_share() -> None:
    assert served(row("a", "aborted", 0.1, judged_at=20.0)) == ("a", 0.0)
