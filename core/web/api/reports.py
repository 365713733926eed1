"""Reports of a deployment, as Markdown or as one HTML file: the bytes that `canary report` writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from starlette.responses import Response

from core.delivery import PlanError
from core.oncall import RosterError, duty_of
from core.reports import KINDS, UnknownDeployment, as_html, as_markdown, build, read_facts
from core.web.api.auth import Scope, require
from core.web.api.context import Ctx
from core.web.api.problems import Problem

router = APIRouter(prefix="/api/v1/deployments", tags=["deployments"], dependencies=[Depends(require(Scope.READ))])

KindName = StrEnum("KindName", {name.upper().replace("-", "_"): name for name in KINDS})  # type: ignore[misc]


class Format(StrEnum):
    """What a report is written as."""

    MARKDOWN = "md"
    HTML = "html"


_MEDIA = {Format.MARKDOWN: "text/markdown", Format.HTML: "text/html"}


@router.get(
    "/{deployment_id}/reports/{kind}",
    response_class=Response,
    responses={200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()}}},
)
def get_report(
    deployment_id: Annotated[str, Path(max_length=200)],
    kind: KindName,
    context: Ctx,
    format_: Annotated[Format | None, Query(alias="format", description="default: as Accept asks, else md")] = None,
    accept: Annotated[str, Header(max_length=1000)] = "*/*",
) -> Response:
    """Return a report made from the event log."""
    form = format_ or wanted(accept)
    if form is None:
        raise Problem(406, f"Reports are {' or '.join(_MEDIA.values())}: accept one of them, or ask with ?format=.")
    try:
        with context.store.read() as connection:
            facts = read_facts(connection, deployment_id, duty_of(context.settings.roster))
        document = build(str(kind), facts)
    except UnknownDeployment as error:
        raise Problem(404, f"{error}.") from error
    except PlanError as error:
        raise Problem(409, str(error), title="This version can't read its plan") from error
    except RosterError as error:
        raise Problem(503, f"It is to say who is on call, and the roster can't be used: {error}") from error
    text = as_html(document) if form is Format.HTML else as_markdown(document)
    name = f"{kind}-{deployment_id}.{form}"  # as the log has it: a plan's name has no character that a header minds
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Vary": "Accept", "Cache-Control": "no-store"}
    return Response(text, media_type=_MEDIA[form], headers=headers)


def wanted(accept: str) -> Format | None:
    """Return what an Accept header asks for, by RFC 9110: the greatest weight, Markdown at a tie; None: neither."""
    weights = {form: _weight(accept, media) for form, media in _MEDIA.items()}
    best = max(weights, key=lambda form: weights[form])
    return best if weights[best] > 0 else None


def _weight(accept: str, media: str) -> float:
    """Return the weight of the most specific range that a media type is in; 0 where it is in none."""
    found: dict[str, float] = {}
    for part in accept.split(","):
        span, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
        try:
            found[span] = float(quality)
        except ValueError:
            found[span] = 0.0
    return next((found[span] for span in (media, "text/*", "*/*") if span in found), 0.0)
