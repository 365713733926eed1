"""`canary demo-experiment`: a made-up experiment with known effects, to learn on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.cli.output import fail, out, print_json
from core.cli.root import Json, app


@app.command(
    "demo-experiment",
    epilog="Example: canary demo-experiment --out simulated.parquet",
)
def demo_experiment(
    to: Annotated[Path, typer.Option("--out", metavar="FILE.parquet", help="One row a learner.")],
    learners: Annotated[
        int, typer.Option("--learners", min=200, max=10_000_000, help="Half of them with the new version.")
    ] = 500_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same learners.")] = 7,
    no_effect: Annotated[
        bool, typer.Option("--no-effect", help="Plant nothing: both versions are the same, as in an A/A experiment.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make up an experiment whose true effects are known: ROI +5.8 %, completion 75 to 82 %, churn 20 to 17 %.

    Learners are simulated, and the file's metadata say so. They come with eight segments and figures from before the
    experiment (for CUPED).
    """
    from core.demo import demo_experiment as make  # imports what only this command needs

    if not to.resolve().parent.is_dir():
        fail(f"{to}: there is no folder {to.resolve().parent}; make it first")
    try:
        table = make(to, learners, seed, effect=not no_effect)
    except OSError as error:
        fail(f"{to}: can't be written: {error.strerror or error}")
    about = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    planted = json.loads(about["planted"])
    if as_json:
        print_json(
            {"out": str(to), "learners": learners, "seed": seed, "simulated": about["simulated"], "planted": planted,
             "columns": table.column_names}
        )  # fmt: skip
        return
    said = [f"ROI {100 * planted['roi']:+g} %"]
    said += ["{} {:g} to {:g} %".format(n, *(100 * share for share in planted[n])) for n in ("completion", "churn")]
    said.append("velocity {:g} to {:g}".format(*planted["velocity"]))
    out.print(f"{learners:,} simulated learners: {escape(str(to))}\nPlanted: {', '.join(said)}.", soft_wrap=True)
