"""What is known of one learner: which version each flag gives them, and which cohort they are in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from core.store import StoreUnavailable
from core.traffic import FlagUnavailable, FlagUnknown
from core.web.api.auth import Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import Problem

router = APIRouter(prefix="/api/v1/learners", tags=["learners"], dependencies=[Depends(require(Scope.READ))])


@router.get("/{learner_id:path}")
def get_learner(
    learner_id: Annotated[str, Path(min_length=1, max_length=500)],
    context: Ctx,
    flag: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:
    """Return which version a learner gets now, of one flag or of all, and their cohort. Any id has an answer."""
    try:
        found = [context.flags.evaluate(key, learner_id) for key in ([flag] if flag else context.flags.flags())]
    except FlagUnknown as error:
        raise Problem(404, f"{error}.") from error
    except FlagUnavailable as error:
        raise Problem(503, f"{error}.", headers={"Retry-After": "2"}) from error
    return {
        "learner": learner_id,
        "assignments": [
            {
                "flag": given.rule.flag,
                "version": given.value,
                "variant": given.variant,
                "bucket": given.bucket,
                "share": given.rule.share,
                "deployment": given.rule.deployment,
                "revision": given.rule.revision,
                "stale": given.stale or None,
            }
            for given in found
        ],
        "cohort": _cohort(context, learner_id),
    }


def _cohort(context: Context, learner: str) -> dict[str, Any] | None:
    """Return what the newest run says of a learner; None without a run, {"problem"} where it can't be read."""
    try:
        found = context.learners.membership(learner)
    except (OSError, StoreUnavailable) as error:
        # Which version they get is known all the same, and is what callers can't do without.
        return {"problem": str(error)}
    if found is None:
        return None
    return {name: None if value == "" else value for name, value in asdict(found).items()}
