"""Which version a learner gets, asked as any client would: the OpenFeature SDK, its OFREP provider, a circuit breaker.

A flag service that is down or hangs must not hang its callers: a call takes 250 ms at most, and after the first that
fails callers get the code's default at once while one background thread finds out when the service is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, GeneralError, OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import Metadata

TIMEOUT_S = 0.25
RETRY_S = 0.5

logger = logging.getLogger(__name__)


class BreakerProvider(OFREPProvider):
    """An OFREP provider whose string flags fail at once after a call that failed, until the service is back."""

    def __init__(self, base_url: str, headers: Callable[[], dict[str, str]] | None = None, retry_s: float = RETRY_S):
        super().__init__(base_url, headers_factory=headers, timeout=TIMEOUT_S)
        self.session.trust_env = False  # loopback: no proxy, and no search for one at each call
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._open_since: float | None = None
        self._ended = threading.Event()

    @property
    def down_since(self) -> float | None:
        """When the flag service was first found to be down (time.monotonic); None while it answers."""
        return self._open_since

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="OFREP with a circuit breaker")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag; raises OpenFeatureError, which the client turns into the default."""
        if self._open_since is not None:
            raise GeneralError("the flag service was down a moment ago")
        try:
            return self._ask(flag_key, default_value, evaluation_context)
        except OpenFeatureError as error:
            if not isinstance(error, FlagNotFoundError):  # that is an answer: the service is up
                self._trip(error, flag_key, default_value, evaluation_context)
            raise

    def _ask(self, key: str, default: str, context: EvaluationContext | None) -> FlagResolutionDetails[str]:
        try:
            return super().resolve_string_details(key, default, context)
        except (KeyError, ValueError) as error:  # an answer without "variant", or with an unknown reason
            raise GeneralError(f"unreadable answer of the flag service: {error!r}") from error

    def _trip(self, error: OpenFeatureError, *question: Any) -> None:
        with self._lock:
            if self._open_since is not None:
                return
            self._open_since = time.monotonic()
        logger.warning("flag service down, the default applies: %s", error.error_message)
        threading.Thread(target=self._wait_for_it, args=question, name="flag service probe", daemon=True).start()

    def _wait_for_it(self, *question: Any) -> None:
        while not self._ended.wait(self._retry_s):
            try:
                self._ask(*question)
            except FlagNotFoundError:
                break
            except OpenFeatureError:
                continue
            break
        logger.warning("flag service back after %.1f s", time.monotonic() - (self._open_since or 0))
        self._open_since = None

    def shutdown(self) -> None:
        """Stop waiting for the service."""
        self._ended.set()
        self.session.close()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the flag said: the version, and whether it is the code's default because the service didn't answer."""

    version: str
    variant: str | None
    reason: str
    defaulted: bool


class FlagClient:
    """Evaluates one flag for learners; blocking, safe to use from several threads."""

    def __init__(self, base_url: str, flag: str, default: str, headers: Callable[[], dict[str, str]] | None = None):
        self.flag = flag
        self.default = default
        self.provider = BreakerProvider(base_url, headers)
        domain = f"demo {base_url}"
        api.set_provider(self.provider, domain)
        self._client: OpenFeatureClient = api.get_client(domain)
        logging.getLogger("openfeature").setLevel(logging.CRITICAL)  # the breaker says it once instead

    def evaluate(self, learner: str) -> Evaluation:
        """Return the version for a learner; never raises, the default applies where the service doesn't answer."""
        details = self._client.get_string_details(self.flag, self.default, EvaluationContext(targeting_key=learner))
        return Evaluation(
            version=details.value,
            variant=details.variant,
            reason=str(details.reason or ""),
            defaulted=details.error_code is not None,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self.provider.shutdown()
