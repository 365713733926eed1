"""The same work on a Dask cluster: parts of the population lie in files, and workers scan them.

A part is a pure function's argument, so a worker that dies costs only the parts it was at: Dask gives them to another.
Workers on other machines need the folder of the files at the same path, as a shared file system gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from core.compiled import cores
from core.learners.events import EventsError

_Result = TypeVar("_Result")

CONNECT_S = 15
_RETRIES = 3
_AHEAD = 4
"""Parts a worker has waiting, so that it need not wait itself."""


class Dask:
    """An engine of `scan_parts`: a Dask client. Needs parts that lie in files."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, work: Callable[..., _Result], calls: Iterable[tuple[Any, ...]]) -> Iterator[_Result]:
        """Do some work with each of the arguments on the workers; yield the results in order.

        Raises EventsError where the cluster gives up on a part.
        """
        from distributed import KilledWorker

        waiting: list[Any] = []
        try:
            for arguments in calls:
                # Not `pure`: that would look at every byte of the arguments to know them again.
                waiting.append(self.client.submit(work, *arguments, pure=False, retries=_RETRIES))
                if len(waiting) > _AHEAD * max(1, len(self.client.scheduler_info(n_workers=-1)["workers"])):
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        except FileNotFoundError as error:
            raise EventsError(
                f"a worker can't read {error.filename}: it needs a folder that all of them and this machine share, at "
                "the same path; --folder names it"
            ) from None
        except KilledWorker as error:
            raise EventsError(
                f"the cluster lost a worker {error.allowed_failures} times over the same part, most likely for want of "
                "memory: give the workers more, or fewer threads each"
            ) from None
        finally:
            self.client.cancel(waiting)


@contextmanager
def dask(address: str | None = None, workers: int | None = None) -> Iterator[Dask]:
    """Connect to a scheduler, or start a cluster of processes on this machine for as long as the block lasts.

    Args:
        address: such as "tcp://scheduler:8786"; None: a cluster of its own, with as many workers (default: one a core).

    Raises EventsError: Dask isn't installed, or nobody answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise EventsError(
            "--engine dask needs Dask, which isn't installed: pip install 'cohort-canary[dask]'"
        ) from None
    if address is not None:
        try:
            client = Client(address, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise EventsError(f"no Dask scheduler answers at {address}: {error}") from None
        with client:
            yield Dask(client)
        return
    with (
        LocalCluster(n_workers=workers or cores(), threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield Dask(client)
