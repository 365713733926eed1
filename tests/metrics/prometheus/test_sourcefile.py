"""A sources file is read whole or refused with every mistake named by line; secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.metrics import SourcesError, load_sources, parse_sources

GOOD = """\
prometheus:
  - name: main
    url: https://prometheus.example:9090/prefix/
    flag: analyzer
    headers: {Authorization: "Bearer ${TOKEN}"}
    versions: {fast: v2}
    labels: {segment: tier}
    timeout: 2 s
    catch_up: 2 h
    figures:
      requests: http_requests_total{version="{{version}}"}
      errors: {query: 'http_requests_total{code="500"}', absent: zero}
      memory: max(process_resident_memory_bytes)
"""


def test_a_file_is_read() -> None:
    (source,) = parse_sources(GOOD, environment={"TOKEN": "s3cret"})
    assert (source.url, source.timeout_s, source.catch_up_s) == ("https://prometheus.example:9090/prefix", 2.0, 7200.0)
    assert (source.called("fast"), source.called("original")) == ("v2", "original")
    assert source.headers["Authorization"].get_secret_value() == "Bearer s3cret"
    assert [figure.line for figure in source.figures] == [11, 12, 13]
    assert [figure.by_selector for figure in source.figures] == [True, True, False]
    assert [[figure.figure for figure in group] for group in source.groups()] == [["requests", "errors"], ["memory"]]


def test_secrets_are_in_no_text_of_it() -> None:
    assert "s3cret" not in repr(parse_sources(GOOD, environment={"TOKEN": "s3cret"}))
    with pytest.raises(SourcesError) as caught:
        parse_sources(GOOD, environment={"TOKEN": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("https://prometheus.example:9090/prefix/", "prometheus:9090", 3, "an address such as"),
        ("https://prometheus", "https://me:pw@prometheus", 3, "put them into headers"),
        ("${TOKEN}", "${TOKN}", 5, "TOKN to be set in the environment"),
        ("timeout: 2 s", "timeout: 2", 8, "such as"),
        ("timeout: 2 s", "timout: 2 s", 8, 'did you mean "timeout"?'),
        ("catch_up: 2 h", "catch_up: 48 h", 9, "from 0.001 s to 86400 s"),
        ("requests:", "request:", 11, 'did you mean "requests"?'),
        ("{{version}}", "{{vresion}}", 11, "blanks {{version}} and {{span}} only"),
        ("absent: zero", "absent: 0", 12, '"zero" or "no data"'),
        ("      errors:", "      probes_ok:", 12, "probes beside it"),
        ("memory: max(process_resident_memory_bytes)", "memory: {query: m, absent: zero}", 13, "no memory is no zero"),
        ("segment: tier", "segment: plan-tier", 7, "a label's name"),
        ("labels: {segment", "labels: {segments", 7, "segment or region"),
        ("prometheus:\n", "prometheus: &a\n", 1, "no anchors"),
        ("    flag: analyzer\n", "", 2, "key of the feature flag"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(SourcesError) as caught:
        parse_sources(GOOD.replace(old, new), "sources.yaml", {"TOKEN": "s3cret"})
    said = [str(problem) for problem in caught.value.problems]
    assert any(one.startswith(f"sources.yaml:{line}:") and words in one for one in said), said


def test_requests_without_errors_would_all_count_as_good() -> None:
    text = "\n".join(line for line in GOOD.splitlines() if "errors" not in line)
    with pytest.raises(SourcesError, match="every request would count as answered well"):
        parse_sources(text, environment={"TOKEN": "t"})


@pytest.mark.parametrize("raw", [b"", b"\xff", b"prometheus: []", b"x" * 70_000, b"prometheus: [1]", b"{{"])
def test_what_is_no_sources_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "sources.yaml"
    path.write_bytes(raw)
    with pytest.raises(SourcesError):
        load_sources(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="No such file"):
        load_sources(tmp_path / "none.yaml")


def test_the_example_can_be_used(root: Path) -> None:
    (source,) = load_sources(root / "data" / "sources" / "example.yaml")
    assert source.flag == "analyzer"
