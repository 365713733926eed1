"""Reads the file that says which Prometheus to ask for what, and says of what is wrong with it where it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr

from core.metrics.prometheus.template import is_selector, read_template
from core.yamlmarks import MAX_BYTES, DocumentError, Misread, Problem, Reader, compose, listed, path_of, suggestion

REQUESTS = ("requests", "errors", "fallbacks", "compared", "disagreed", "latency")
"""Figures of requests: a span counts only when all that a source names are there."""

PROBES = ("probes", "probes_ok")
GAUGES = (
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "availability",
    "fallback_rate",
    "disagreement",
    "memory",
    "cache_hit_rate",
)
"""Figures that don't add, each for itself: latencies in the source's unit, shares from 0 to 1, memory in bytes."""

BORN_LATE = frozenset({"errors", "fallbacks", "compared", "disagreed", "probes_ok"})
"""Figures whose series may be born with the first one: only of these no series may be said to be a zero."""

FIGURES = (*REQUESTS, *PROBES, *GAUGES)
_PARTS = {"errors": "requests", "fallbacks": "requests", "compared": "requests", "disagreed": "compared"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(ms|s|min|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class SourcesError(DocumentError):
    """A sources file that can't be used; `problems` is never empty. As text: one line a problem."""


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """Where one figure comes from.

    Attributes:
        figure: one of `FIGURES`. query: template. line: of the file.
        absent_is_zero: no series is a zero, as of errors that are born with the first one.
    """

    figure: str
    query: str
    line: int
    absent_is_zero: bool = False

    @property
    def counts(self) -> bool:
        """Whether the figure adds: a count, or the histogram."""
        return self.figure not in GAUGES

    @property
    def by_selector(self) -> bool:
        """Whether the template selects counters; else it computes the span's figure itself."""
        return self.counts and is_selector(self.query)


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """One Prometheus, and what it is asked.

    Attributes:
        url: without a trailing slash. headers: sent with each query.
        flag: whose versions it knows. versions: what it calls them, where that is something else.
        labels: which label is the segment, and which the region ("segment", "region").
        timeout_s: of one query. delay_s: after a span's end, until its last scrape is in.
        catch_up_s: how far back missed spans are asked for. unit: of latencies, "s" or "ms".
    """

    name: str
    url: str
    flag: str
    figures: tuple[FigureQuery, ...]
    headers: Mapping[str, SecretStr]
    versions: Mapping[str, str]
    labels: Mapping[str, str]
    timeout_s: float = 5.0
    delay_s: float = 10.0
    catch_up_s: float = 3600.0
    unit: str = "s"

    def called(self, version: str) -> str:
        """Return what this source calls a version of the plan."""
        return self.versions.get(version, version)

    def groups(self) -> list[tuple[FigureQuery, ...]]:
        """Return the figures that are told together: those of requests, those of probes, each gauge by itself."""
        named = {figure.figure: figure for figure in self.figures}
        together = [tuple(named[name] for name in names if name in named) for names in (REQUESTS, PROBES)]
        return [group for group in together if group] + [(named[name],) for name in GAUGES if name in named]


def load_sources(path: Path, environment: Mapping[str, str] | None = None) -> tuple[PrometheusSource, ...]:
    """Read a sources file.

    Raises:
        SourcesError: it can't be read, or not all of it can be used.
    """
    name = str(path)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourcesError([Problem(name, 0, 0, "", f"byte {error.start} is not UTF-8", "text in UTF-8")]) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise SourcesError([Problem(name, 0, 0, "", said, "a sources file that can be read")]) from None
    return parse_sources(text, name, environment)


def parse_sources(
    text: str, name: str = "sources.yaml", environment: Mapping[str, str] | None = None
) -> tuple[PrometheusSource, ...]:
    """Read the text of a sources file. `environment`: where ${NAME} in headers comes from; default: the process's.

    Raises:
        SourcesError: not all of it can be used; every problem with its line.
    """
    if len(text) > MAX_BYTES:
        raise SourcesError([Problem(name, 0, 0, "", "is larger than 64 KiB", "a few KiB")])
    root = compose(text, name, "a mapping with prometheus", SourcesError)
    reader = _SourcesReader(name, os.environ if environment is None else environment)
    found = reader.read(root)
    if reader.problems:
        raise SourcesError(reader.problems)
    return found


class _SourcesReader(Reader):
    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        super().__init__(file, SourcesError)
        self._environment = environment

    def read(self, root: yaml.Node) -> tuple[PrometheusSource, ...]:
        top = self.mapping(root, "", {"prometheus": "a list of Prometheus servers to ask"})
        sources: list[PrometheusSource] = []
        for field, node in self.items(top.get("prometheus"), "prometheus", "a list with at least one server"):
            source = self._source(node, field)
            if any(source.name == other.name for other in sources):
                self.report(node, path_of(field, "name"), "a name of its own for each source", source.name)
            sources.append(source)
        return tuple(sources)

    def _source(self, node: yaml.Node, field: str) -> PrometheusSource:
        keys = self.mapping(
            node,
            field,
            {
                "name": "a name for the source, which stays the same",
                "url": 'its address, such as "http://prometheus:9090"',
                "flag": "the key of the feature flag whose versions it knows",
                "figures": f"a query for each figure: {listed(FIGURES)}",
            },
            ("headers", "versions", "labels", "timeout", "delay", "catch_up", "latency_unit"),
        )

        def at(key: str) -> str:
            return path_of(field, key)

        return PrometheusSource(
            name=self.value(keys.get("name"), at("name"), _name, ""),
            url=self.value(keys.get("url"), at("url"), _url, ""),
            flag=self.value(keys.get("flag"), at("flag"), _text, ""),
            figures=self._figures(keys.get("figures"), at("figures")),
            headers=self._headers(keys.get("headers"), at("headers")),
            versions=self._texts(keys.get("versions"), at("versions"), "what the source calls a version"),
            labels=self._labels(keys.get("labels"), at("labels")),
            timeout_s=self.value(keys.get("timeout"), at("timeout"), _between(0.1, 60), 5.0),
            delay_s=self.value(keys.get("delay"), at("delay"), _between(0, 600), 10.0),
            catch_up_s=self.value(keys.get("catch_up"), at("catch_up"), _between(0.001, 86_400), 3600.0),
            unit=self.value(keys.get("latency_unit"), at("latency_unit"), _unit, "s"),
        )

    def _pairs(self, node: yaml.Node | None, field: str, expected: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.report(node, field, expected)
            return []
        pairs = []
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen:
                self.report(key, path_of(field, name), "each key once")
            seen.add(name)
            pairs.append((name, key, value))
        return pairs

    def _texts(self, node: yaml.Node | None, field: str, what: str) -> dict[str, str]:
        pairs = self._pairs(node, field, f"a mapping: {what}")
        return {name: self.value(value, path_of(field, name), _text, "") for name, _, value in pairs}

    def _labels(self, node: yaml.Node | None, field: str) -> dict[str, str]:
        found = {}
        for name, key, value in self._pairs(node, field, "a mapping with segment and region"):
            if name not in {"segment", "region"}:
                self.report(key, path_of(field, name), f"segment or region{suggestion(name, ('segment', 'region'))}")
            found[name] = self.value(value, path_of(field, name), _label, "")
        return found

    def _headers(self, node: yaml.Node | None, field: str) -> dict[str, SecretStr]:
        found = {}
        for name, key, value in self._pairs(node, field, "a mapping: header and value"):
            path = path_of(field, name)
            if _HEADER.fullmatch(name) is None:
                self.report(key, path, "a header's name such as Authorization")
            text = value.value if isinstance(value, yaml.ScalarNode) else ""
            missing = [one for one in _VARIABLE.findall(text) if one not in self._environment]
            filled = _VARIABLE.sub(lambda match: self._environment.get(match[1], ""), text)
            if missing:
                self.report(value, path, f"{listed(missing)} to be set in the environment", "${" + missing[0] + "}")
            elif not filled or not filled.isascii() or not filled.isprintable():
                # What it holds isn't repeated: it may be a secret.
                self.report(value, path, 'printable text such as "Bearer ${PROMETHEUS_TOKEN}"', "something else")
            found[name] = SecretStr(filled)
        return found

    def _figures(self, node: yaml.Node | None, field: str) -> tuple[FigureQuery, ...]:
        found: dict[str, FigureQuery] = {}
        nodes: dict[str, yaml.Node] = {}
        for name, key, value in self._pairs(node, field, f"a query for each figure: {listed(FIGURES)}"):
            path = path_of(field, name)
            if name not in FIGURES:
                self.report(key, path, f"one of {listed(FIGURES)}{suggestion(name, FIGURES)}")
                continue
            nodes[name] = key
            query, absent = value, None
            if isinstance(value, yaml.MappingNode):
                keys = self.mapping(value, path, {"query": "a PromQL query"}, ("absent",))
                query, absent = keys.get("query", value), keys.get("absent")
            text = self.value(query, path, read_template, "")
            zero = self.value(absent, path_of(path, "absent"), _zero, False)
            found[name] = FigureQuery(name, text, key.start_mark.line + 1, zero)
        if node is not None and isinstance(node, yaml.MappingNode):
            self._whole(node, field, found, nodes)
        return tuple(found.values())

    def _whole(
        self, node: yaml.Node, field: str, found: Mapping[str, FigureQuery], nodes: Mapping[str, yaml.Node]
    ) -> None:
        if not found and not node.value:
            self.report(node, field, f"a query for at least one of {listed(FIGURES)}", "nothing")
        for part, whole in (*_PARTS.items(), ("probes_ok", "probes"), ("latency", "requests"), ("probes", "probes_ok")):
            if part in found and whole not in found:
                self.report(nodes[part], path_of(field, part), f"{whole} beside it, of which these are part", part)
        if "requests" in found and "errors" not in found:
            expected = "errors beside it: without, every request would count as answered well"
            self.report(nodes["requests"], path_of(field, "requests"), expected, "requests")
        for name in found:
            if name not in BORN_LATE and found[name].absent_is_zero:
                expected = f"no absent: zero, but of {listed(sorted(BORN_LATE))}: no {name} is no zero"
                self.report(nodes[name], path_of(field, name), expected, "absent: zero")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise Misread("1 to 40 letters, digits, dots, dashes, underscores")
    return text


def _text(text: str) -> str:
    if not 0 < len(text) <= 200 or not text.isprintable():
        raise Misread("a text of 1 to 200 characters")
    return text


def _label(text: str) -> str:
    if _LABEL.fullmatch(text) is None:
        raise Misread("a label's name such as plan_tier")
    return text


def _unit(text: str) -> str:
    if text not in {"s", "ms"}:
        raise Misread('"s" or "ms"')
    return text


def _zero(text: str) -> bool:
    if text not in {"zero", "no data"}:
        raise Misread('"zero" or "no data"')
    return text == "zero"


def _url(text: str) -> str:
    expected = 'an address such as "http://prometheus:9090"'
    try:
        parts = urlsplit(text)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise Misread(expected) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good or parts.query or parts.fragment:
        raise Misread(expected)
    if parts.username or parts.password:
        raise Misread("no name and password in the address: put them into headers, from the environment")
    return text.rstrip("/")


def _between(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        match = _DURATION.fullmatch(text)
        seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
        if not least <= seconds <= most:
            raise Misread(f'a duration from {least:g} s to {most:g} s, such as "5 s" or "1 h"')
        return seconds

    return read
