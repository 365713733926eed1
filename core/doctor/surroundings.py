"""What it runs on and talks to besides: versions, the cache."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from core.doctor.check import Installation, Verdict, check, failed, ok, warning

PACKAGE = "cohort-canary"


@check("versions")
def versions(at: Installation) -> Iterator[Verdict]:  # noqa: ARG001
    """Are the packages that are installed those that it needs?"""
    try:
        wanted = [Requirement(text) for text in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        yield warning(f"{PACKAGE} itself isn't installed as a package", "make setup")
        return
    wrong = []
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = ""
        if not found or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement} (found {found or 'none'})")
    if wrong:
        yield failed(f"not as needed: {', '.join(wrong)}", "make setup, or pip install -r requirements/run.txt")
    else:
        yield ok(f"{PACKAGE} {version(PACKAGE)} on Python {platform.python_version()}, and all packages it needs")


@check("cache")
def cache(at: Installation) -> Iterator[Verdict]:
    """Does the Redis answer, if there is one?"""
    if at.settings.cache_url is None:
        return
    try:
        import redis
    except ImportError:
        yield warning("the driver for Redis isn't installed, so that each process has a cache of its own",
                      "pip install 'cohort-canary[redis]'")  # fmt: skip
        return
    try:
        client = redis.Redis.from_url(at.settings.cache_url, socket_timeout=2.0, socket_connect_timeout=2.0)
        client.ping()
        client.close()
    except (redis.RedisError, ValueError) as error:
        yield warning(f"the Redis doesn't answer ({error}): cohorts are looked up in the files each time",
                      "Start it, or check CANARY_CACHE_URL; nobody goes without an answer")  # fmt: skip
    else:
        yield ok("the Redis answers")
