"""What the demo asks of the public HTTP API, as any client of it would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from core.demo.faults import Fault
from core.demo.home import DemoError


class Api:
    """The server's API, which the demo runs in open mode (reading needs no token), and the demo service's front."""

    def __init__(self, url: str, act_token: str, front: str, demo_token: str) -> None:
        self.url = url
        self._front = front
        self._act = {"Authorization": f"Bearer {act_token}"}
        self._demo = {"Authorization": f"Bearer {demo_token}"}
        self._http = httpx.Client(timeout=5.0, trust_env=False)

    def wait_until_healthy(self, within_s: float, alive: Callable[[], bool]) -> bool:
        """Wait for the server; False when it ended or took too long."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and alive():
            try:
                if self._http.get(f"{self.url}/healthz").status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        return False

    def start_deployment(self, plan: str) -> str:
        """Create a deployment of a plan and start it; return its id."""
        body = {"plan": plan, "start": True, "reason": "canary demo"}
        return str(self._answer(self._http.post(f"{self.url}/api/v1/deployments", json=body, headers=self._act))["id"])

    def deployment(self, id_: str) -> dict[str, Any]:
        """Return where a deployment stands."""
        return self._answer(self._http.get(f"{self.url}/api/v1/deployments/{id_}"))

    def events(self, id_: str) -> list[dict[str, Any]]:
        """Return a deployment's events, oldest first."""
        found = self._http.get(f"{self.url}/api/v1/deployments/{id_}/events", params={"limit": 1000})
        if not found.is_success:
            raise DemoError(f"the API refused {found.request.url}: {found.text[:300]}")
        return list(found.json()["events"])

    def set_fault(self, fault: Fault | None) -> None:
        """Switch a fault on, or off."""
        body = {"fault": None if fault is None else fault.value}
        self._http.put(f"{self._front}/faults", json=body, headers=self._demo).raise_for_status()

    def served(self) -> dict[str, int]:
        """Return how many requests each version has served so far."""
        return dict(self._http.get(f"{self._front}/status").json()["served"])

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            raise DemoError(f"the API refused {response.request.url}: {response.text[:300]}")
        return dict(response.json()["deployment"])

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
