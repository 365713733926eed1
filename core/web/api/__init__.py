"""The HTTP API: flags, pushed figures, deployments, health."""

from core.web.api.application import create_api
from core.web.api.auth import Scope, TokenError, Tokens, load_tokens
from core.web.api.guard import HostGuard, is_api, served_names

__all__ = ["HostGuard", "Scope", "TokenError", "Tokens", "create_api", "is_api", "load_tokens", "served_names"]
