import time
from typing import Any

from core.demo.flags import TIMEOUT_S, FlagClient
from core.demo.net import address, listen


def test_unknown_flag_gives_the_default_and_keeps_asking(platform: Any) -> None:
    client = FlagClient(platform.url, "another", "original")
    found = client.evaluate("learner")
    assert (found.version, found.defaulted) == ("original", True)
    assert client.provider.down_since is None
    client.close()


def test_a_hanging_flag_service_costs_one_timeout() -> None:
    sock = listen()  # accepts, and never answers
    client = FlagClient(address(sock), "analyzer", "original")
    began = time.perf_counter()
    assert client.evaluate("learner").defaulted
    first = time.perf_counter() - began
    assert TIMEOUT_S * 0.9 < first < 1.5
    began = time.perf_counter()
    assert all(client.evaluate(f"learner {i}").version == "original" for i in range(200))
    assert time.perf_counter() - began < 1.0
    client.close()
    sock.close()


def test_it_comes_back_by_itself(platform: Any) -> None:
    client = FlagClient(platform.url, "analyzer", "original")
    platform.share, platform.status = 1.0, 500
    assert client.evaluate("learner").version == "original"
    platform.status = 200
    deadline = time.monotonic() + 5
    while client.evaluate("learner").version != "fast":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()
