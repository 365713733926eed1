"""Tells cohort-canary what a service answered: standard library only, never in the way of the service.

>>> from canary_client import Reporter
>>> with Reporter("http://127.0.0.1:1", "token", flag="analyzer", start=False) as reporter:
...     reporter.record(learner="learner-17", version="fast", latency_ms=12.5)
True
"""

from canary_client.asgi import AsgiMiddleware
from canary_client.reporter import Reporter, Stats
from canary_client.request import header, note
from canary_client.wsgi import WsgiMiddleware

__all__ = ["AsgiMiddleware", "Reporter", "Stats", "WsgiMiddleware", "header", "note"]
