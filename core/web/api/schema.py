"""The published description of the API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from core.web.api.auth import Scope, require

router = APIRouter(tags=["schema"])


@router.get("/api/openapi.json", dependencies=[Depends(require(Scope.READ))])
def openapi(request: Request) -> dict[str, Any]:
    """Return this API's OpenAPI document."""
    description: dict[str, Any] = request.app.openapi()
    return description
