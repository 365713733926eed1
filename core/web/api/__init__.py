"""The HTTP API: flags, pushed figures, deployments, health."""

from core.web.api.application import create_api
from core.web.api.auth import CONFIGURED, Scope, TokenError, Tokens, load_tokens
from core.web.api.context import Context
from core.web.api.guard import HostGuard, is_api, served_names

__all__ = [
    "CONFIGURED",
    "Context",
    "HostGuard",
    "Scope",
    "TokenError",
    "Tokens",
    "create_api",
    "is_api",
    "load_tokens",
    "served_names",
]
