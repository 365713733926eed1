"""What is known of one learner: for now, which version each flag gives them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from core.traffic import FlagUnavailable, FlagUnknown
from core.web.api.auth import Scope, require
from core.web.api.context import Ctx
from core.web.api.problems import Problem

router = APIRouter(prefix="/api/v1/learners", tags=["learners"], dependencies=[Depends(require(Scope.READ))])


@router.get("/{learner_id:path}")
def get_learner(
    learner_id: Annotated[str, Path(min_length=1, max_length=500)],
    context: Ctx,
    flag: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:
    """Return which version a learner gets now, of one flag or of all. Any id has an answer."""
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
    }
