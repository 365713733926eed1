"""`canary aa`: is the instrument good enough to measure with?"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.experiment import Alpha, Covariates, Data, Metrics, Where, pairs, tell_rejected
from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, app, deliveries
from core.experiments import DataError, DeclarationError, DesignError, Question, Roles, answer, load, percent
from core.experiments.instrument import (
    DRIFT,
    SPLITS,
    TARGET,
    Instrument,
    RequestCheck,
    State,
    as_json,
    as_used,
    check_instrument,
    check_requests,
    request_sentences,
    verdict,
)
from core.store import load_samples

_MARKS = {State.PASS: "[green]pass[/]", State.FAIL: "[red]fail[/]", State.OPEN: "[yellow]not enough data[/]"}


@app.command(
    epilog="Example: canary aa learners.parquet "
    '--metric "roi=roi(revenue,cost)" --metric "done=rate(completed)" --segment region --learner learner_id'
)
def aa(
    data: Data,
    metric: Metrics,
    covariate: Covariates = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="COL", help="Look for drift by it. Repeat for more.")
    ] = None,
    learner: Annotated[
        str | None, typer.Option("--learner", metavar="COL", help="Learners' ids: rows of one learner count together.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="COL", help="What is split as a whole and counts as one unit.")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="COL", help="Arms that both had the same version: did anything differ?"),
    ] = None,
    control: Annotated[str | None, typer.Option("--control", metavar="VALUE", help="One of them.")] = None,
    where: Where = None,
    splits: Annotated[int, typer.Option("--splits", min=100, max=50_000, help="Random halves to try.")] = SPLITS,
    effect: Annotated[
        str, typer.Option("--effect", metavar="2%", help="To be seen, as a share of the metric's value.")
    ] = f"{100 * TARGET:g}%",
    drift: Annotated[
        str, typer.Option("--drift", metavar="0.1%", help="Largest of a segment, as a share of the metric's value.")
    ] = f"{100 * DRIFT:g}%",
    alpha: Alpha = 0.05,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same splits.")] = 0,
    deployment: Annotated[
        str | None,
        typer.Option("--requests-of", metavar="DEPLOYMENT", help="Do its recorded request counts vary too much?"),
    ] = None,
    as_json_: Json = False,
) -> None:
    """Split learners into random halves, again and again, and see whether the estimators find nothing in nothing.

    False positives with their interval, whether p-values are spread evenly, drift by segment, the smallest effect that
    is seen. Exit code 1: the instrument is not fit for use, or not known to be; or the data can't be read.
    """
    if (variant is None) != (control is None):
        fail("--variant and --control go together", USAGE)
    target, limit = _share(effect, "--effect"), _share(drift, "--drift")
    labels = tuple(dict.fromkeys(name for name in (*(segment or ()), learner, cluster) if name is not None))
    question = Question(
        paths=tuple(map(str, data)),
        variant=variant or "",
        control=control or "",
        metrics=tuple(metric),
        covariates=tuple(covariate or ()),
        cluster=cluster,
        learner=learner,
        where=pairs(where),
        alpha=alpha,
    )
    try:
        declared = question.declared()
    except DeclarationError as error:
        fail(str(error), USAGE)
    try:
        loaded = load(question.paths, Roles(variant, declared.inputs, labels, None, question.where))
        counted_by, note = as_used(loaded.observations, learner, cluster)
        with err.status("splitting …") if err.is_terminal else nullcontext():
            found = check_instrument(
                loaded.observations,
                declared.metrics,
                splits=splits,
                segments=tuple(segment or ()),
                unit=learner,
                cluster=counted_by,
                alpha=alpha,
                target=target,
                limit=limit,
                seed=seed,
            )
        if variant is not None:
            found = replace(found, observed=answer(loaded, question))
    except (DataError, DesignError) as error:
        fail(str(error))
    requests = None if deployment is None else _requests(deployment)
    tell_rejected(loaded)
    for told in filter(None, (note, *found.notes)):
        err.print(f"[yellow]note:[/] {escape(told)}", soft_wrap=True)
    if as_json_:
        print_json(as_json(found, requests) | {"rejected": loaded.rejected.to_json(), "simulated": loaded.simulated})
    else:
        _print(found, requests)
    if found.state is not State.PASS:
        stop(NO)


def _share(text: str, option: str) -> float:
    number, is_percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if is_percent else 1)
    except ValueError:
        share = 0.0
    if rest or not 0 < share <= 1:
        fail(f"{option} {text!r}: expected a share such as 2% or 0.02, above zero and at most 100%", USAGE)
    return share


def _requests(deployment: str) -> RequestCheck:
    with deliveries() as service:
        known = {one.id: one for one in service.all()}
        if deployment not in known:
            fail(f"there is no deployment {deployment!r}; known: {', '.join(known) or 'none yet'}")
        plan = known[deployment].plan
        with service.store.read() as connection:
            frame = load_samples(connection, plan.flag)
    return check_requests(frame, plan.candidate, plan.baseline)


def _print(found: Instrument, requests: RequestCheck | None) -> None:
    table = Table(title=f"{found.units:,} learners, split {found.splits:,} times", title_justify="left")
    for heading in ("metric", f"p < {found.alpha:g}", "", "p evenly spread", "", "smallest effect", "", "power"):
        table.add_column(heading)
    for check in found.checks:
        table.add_row(
            escape(check.metric.name),
            f"{percent(check.rate)} ({percent(check.low)} to {percent(check.high)})",
            _MARKS[check.calibrated],
            f"p = {check.uniform_p:.2g}",
            _MARKS[check.uniform],
            percent(check.smallest),
            _MARKS[check.sees],
            f"{percent(check.power)} at {percent(found.target)}",
        )
    out.print(table)
    drifts = Table(title=f"Drift against {percent(found.limit)}, largest first", title_justify="left")
    for heading in ("metric", "segment", "learners", "drift", "standard error", ""):
        drifts.add_column(heading)
    for one in sorted(found.drifts, key=lambda d: -abs(d.mean) if d.mean == d.mean else 0)[:8]:
        where = f"{one.dimension} {one.level}" if one.dimension else "all"
        row = (one.metric, where, f"{one.units:,}", percent(one.mean, signed=True), percent(one.error))
        drifts.add_row(*map(escape, row), _MARKS[one.state])
    out.print(drifts)
    for line in (*(request_sentences(requests) if requests else ()), verdict(found)):
        out.print(escape(line), soft_wrap=True)
