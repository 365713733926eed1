"""Acknowledging incidents over HTTP: by a token, or by the link in a message, whose page a phone can show."""

from __future__ import annotations

import time
from dataclasses import asdict
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.responses import HTMLResponse

from core.oncall import AckRefused, Link, acknowledge, acknowledgements, look_at_link, open_incidents, use_link
from core.web.api.auth import Caller, Scope, require
from core.web.api.context import Ctx
from core.web.api.problems import Problem
from core.web.api.schemas import Body

router = APIRouter(tags=["on call"])
Acknowledger = Annotated[Caller, Depends(require(Scope.ACT, Scope.ROLL_BACK))]
Secret = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[\w-]+$")]
LINK_PREFIX = "/on-call/ack"


class AckIn(Body):
    """What an acknowledgement says."""

    comment: Annotated[str, Field(max_length=500)] = ""


@router.get("/api/v1/incidents", dependencies=[Depends(require(Scope.READ))])
def get_incidents(context: Ctx) -> dict[str, Any]:
    """Return the incidents that are open, oldest first, each with who has acknowledged it."""
    with context.store.read() as connection:
        found = open_incidents(connection)
    return {
        "incidents": [
            asdict(o.incident) | {"opened_wall": o.opened, "ack": asdict(o.ack) if o.ack is not None else None}
            for o in found
        ]
    }


@router.post("/api/v1/incidents/{incident}/ack")
def ack(
    incident: Annotated[str, Path(max_length=64)], body: AckIn, context: Ctx, caller: Acknowledger
) -> dict[str, Any]:
    """Acknowledge an incident: nobody is called about it any more. A second time changes nothing."""
    with context.store.read() as connection:
        known = acknowledgements(connection).get(incident)
    try:
        made = acknowledge(
            context.store,
            incident,
            person=caller.owner or caller.name,
            how="api",
            actor=caller.actor,
            now=time.time(),
            comment=body.comment,
        )
    except AckRefused as error:
        raise Problem(404, f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    return asdict(made) | {"already": known is not None}


@router.get(f"{LINK_PREFIX}/{{secret}}", response_class=HTMLResponse, include_in_schema=False)
def show(secret: Secret, context: Ctx) -> HTMLResponse:
    """Show what a link is for. Mail scanners open links: looking changes nothing, only the button does."""
    with context.store.read() as connection:
        link = look_at_link(connection, secret, time.time())
    return _page(link, link.refusal, 200 if not link.refusal else 410 if link.incident else 404)


@router.post(f"{LINK_PREFIX}/{{secret}}", response_class=HTMLResponse, include_in_schema=False)
async def press(secret: Secret, request: Request, context: Ctx) -> HTMLResponse:
    """Acknowledge by a link, once."""
    await request.body()
    try:
        made = await run_in_threadpool(use_link, context.store, secret, time.time())
    except AckRefused as error:
        return _page(Link(None, "", str(error)), str(error), 410)
    return _page(Link(None, made.person, ""), f"Acknowledged by {made.person}. Nobody else is called about it.", 200)


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:2rem 1.2rem}"
    "body{background:#fcfbf8;color:#1d282d}"
    "button{font:inherit;font-weight:600;width:100%;padding:1rem;border:0;border-radius:.4rem;background:#0d6668;color:#fff}"
    "button:focus-visible{outline:3px solid #c06a00}h1{font-size:1.4rem}"
    "@media(prefers-color-scheme:dark){body{background:#12191c;color:#e7edec}}"
)


def _page(link: Link, said: str, status: int) -> HTMLResponse:
    incident = link.incident
    head = incident.cause.capitalize() if incident is not None else "On call"
    parts = [f"<h1>{escape(head)}</h1>"]
    if incident is not None:
        parts.append(f"<p>{escape(incident.summary)}</p><p>{escape(incident.deployment)}</p>")
    if said:
        parts.append(f'<p role="status"><strong>{escape(said[0].upper() + said[1:])}</strong></p>')
    elif incident is not None:
        parts.append(f'<form method="post"><button>Acknowledge as {escape(link.person)}</button></form>')
        parts.append("<p>Then nobody else is called about it. It does not roll anything back.</p>")
    parts.append('<p><a href="/">Open the dashboard</a></p>')
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    top = f'<!doctype html><html lang="en">{meta}<title>{escape(head)}</title><style>{_STYLE}</style>'
    page = f"{top}{''.join(parts)}</html>"
    headers = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",  # without one a browser names no origin when the button is pressed
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _POLICY,
    }
    return HTMLResponse(page, status, headers)
