"""The web: the HTTP API, and what the dashboard's pages are made of. Each name is a module; who needs it imports it."""

__all__ = [
    "actions",
    "api",
    "business",
    "early",
    "experiments",
    "figures",
    "headers",
    "html",
    "instrument",
    "intake",
    "learners",
    "oncall_parts",
    "palette",
    "parts",
    "reading",
    "rehearsing",
    "server",
    "signin",
    "signoff_parts",
    "views",
]
