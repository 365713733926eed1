"""Metrics as people write them: `roi=roi(revenue, cost)`, `done=rate(completed)`, `spend=revenue(amount, cap=99%)`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from core.experiments.inputs import Flag, Input, Is, Number, Within
from core.experiments.metrics import Cap, Margin, Mean, Metric, Rate, Ratio, Revenue

FORMS = (
    "mean(COLUMN)",
    "rate(COLUMN)",
    "rate(COLUMN=WORD|WORD)",
    "ratio(NUMERATOR, DENOMINATOR)",
    "roi(REVENUE, COST)",
    "revenue(COLUMN, cap=VALUE)",
    "revenue(COLUMN, cap=99%)",
    "completion(EVENT, EXPOSURE, DAYS)",
    "churn(EVENT, EXPOSURE, DAYS)",
)
"""What can be written behind the name of a metric."""

RESERVED = ("n", "clusters")
"""Names that stand beside metrics in the answer."""

_EXPRESSION = re.compile(r"\s*(?P<name>[^=()]+?)\s*=\s*(?P<kind>[a-z]+)\s*\((?P<arguments>.*)\)\s*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class DeclarationError(ValueError):
    """A metric, covariate or margin that can't be understood; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Metrics, and where their numbers come from.

    Attributes:
        inputs: by the name under which metrics know them.
    """

    metrics: tuple[Metric, ...]
    inputs: Mapping[str, Input]


def declare(
    metrics: Sequence[str],
    covariates: Sequence[str] = (),
    margins: Sequence[str] = (),
    lower_is_better: Sequence[str] = (),
) -> Declared:
    """Return the metrics that people wrote.

    Args:
        metrics: "NAME=mean(COLUMN)" and the other `FORMS`.
        covariates: "NAME=COLUMN", a number from before the experiment.
        margins: "NAME=-3%" of the control's value, or "NAME=-0.05" in the metric's unit; the sign says what is worse.
        lower_is_better: names of metrics.

    Raises:
        DeclarationError: one of them can't be understood.
    """
    if not metrics:
        raise DeclarationError(f"no metric is declared; expected one or more, such as {FORMS[0]!r}")
    found: dict[str, Metric] = {}
    inputs: dict[str, Input] = {}
    for text in metrics:
        metric, needs = _metric(text)
        if metric.name in found:
            raise DeclarationError(f"metric {text!r}: {metric.name!r} is declared twice; give each a name of its own")
        found[metric.name] = metric
        inputs |= {str(need): need for need in needs}
    for text in covariates:
        name, column = _pair(text, "covariate", found, "COLUMN")
        found[name] = replace(found[name], covariate=column)
        inputs.setdefault(column, Number(column))
    for text in margins:
        name, size = _pair(text, "margin", found, "-3%")
        found[name] = replace(found[name], margin=_margin(text, size))
    for name in lower_is_better:
        if name not in found:
            raise DeclarationError(f"lower is better for {name!r}: no such metric; declared: {', '.join(found)}")
        found[name] = replace(found[name], lower_is_better=True)
    for metric in found.values():
        worse_is_up = metric.margin is not None and metric.margin.size > 0
        if metric.margin is not None and worse_is_up and not metric.lower_is_better:
            # The margin's sign has said it.
            found[metric.name] = replace(metric, lower_is_better=True)
        elif metric.margin is not None and not worse_is_up and metric.lower_is_better:
            raise DeclarationError(
                f"margin of {metric.name!r}: {metric.margin} says that less is worse, but lower is said to be better"
            )
    return Declared(tuple(found.values()), inputs)


def _metric(text: str) -> tuple[Metric, tuple[Input, ...]]:
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        _unclear(text, "expected NAME=KIND(COLUMN)")
    name, kind = match["name"], match["kind"]
    if name in RESERVED:
        _unclear(text, f"{name!r} is what the answer calls something else; give it another name")
    arguments = [argument.strip() for argument in match["arguments"].split(",")]
    if not all(arguments):
        _unclear(text, "expected columns between the brackets")

    def take(count: int) -> list[str]:
        if len(arguments) != count:
            form = next(form for form in FORMS if form.startswith(kind + "("))
            _unclear(text, f"{kind} takes {count} as in {form}; found {len(arguments)}")
        return arguments

    if kind == "mean":
        (column,) = take(1)
        return Mean(name=name, column=column), (Number(column),)
    if kind == "rate":
        (column,) = take(1)
        column, equals, words = column.partition("=")
        need = Is(column.strip(), tuple(word.strip() for word in words.split("|"))) if equals else Flag(column)
        return Rate(name=name, column=str(need)), (need,)
    if kind in ("ratio", "roi"):
        over, under = take(2)
        return Ratio(name=name, over=over, under=under), (Number(over), Number(under))
    if kind == "revenue":
        column, *rest = arguments
        cap = _cap(text, rest[0]) if len(rest) == 1 else None
        if len(rest) > 1:
            take(2)
        return Revenue(name=name, column=column, limit=cap), (Number(column),)
    if kind in ("completion", "churn"):
        event, exposure, length = take(3)
        days = length.removesuffix("d").strip()
        if not _NUMBER.fullmatch(days) or float(days) <= 0:
            _unclear(text, f"{length!r} is not a number of days above zero")
        window = Within(event, exposure, float(days))
        return Rate(name=name, column=str(window), lower_is_better=kind == "churn"), (window,)
    return _unclear(text, f"there is no kind {kind!r}")


def _cap(text: str, argument: str) -> Cap:
    key, equals, value = (part.strip() for part in argument.partition("="))
    if key != "cap" or not equals:
        _unclear(text, f"{argument!r} is not cap=VALUE or cap=99%")
    share = value.removesuffix("%").strip()
    if not _NUMBER.fullmatch(share):
        _unclear(text, f"cap={value} is not a number, nor a percentage")
    if value.endswith("%"):
        if not 0 < float(share) < 100:
            _unclear(text, f"cap={value} is not between 0 % and 100 %")
        return Cap(quantile=float(share) / 100)
    return Cap(float(share))


def _margin(text: str, size: str) -> Margin:
    number = size.removesuffix("%").strip()
    if not _NUMBER.fullmatch(number) or float(number) == 0:
        raise DeclarationError(
            f"margin {text!r}: {size!r} is not a number other than zero; expected -3% (of the control's value) or -0.05"
        )
    return Margin(float(number) / 100, relative=True) if size.endswith("%") else Margin(float(number))


def _pair(text: str, what: str, found: Mapping[str, Metric], example: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise DeclarationError(f"{what} {text!r}: expected NAME={example}")
    if name not in found:
        raise DeclarationError(f"{what} {text!r}: there is no metric {name!r}; declared: {', '.join(found)}")
    return name, value


def _unclear(text: str, why: str) -> NoReturn:
    raise DeclarationError(f"metric {text!r}: {why}. One of: " + "; ".join(f"NAME={form}" for form in FORMS))
