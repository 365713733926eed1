"""Reads a plan from YAML, and says of everything that is wrong with it where it is and what was expected.

All problems are told at once. What is merely unwise is not refused here: describe.py warns of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from core.delivery.plan import (
    ASKED,
    COMPARED_COUNTS,
    COMPARED_GAUGES,
    RELATIVE,
    WARN_ONLY,
    Figure,
    Guardrail,
    Limit,
    Phase,
    Plan,
    SignOff,
    Trigger,
)
from core.delivery.quantities import (
    read_bytes,
    read_count,
    read_duration,
    read_milliseconds,
    read_moment,
    read_probability,
    read_share,
    say_duration,
    say_moment,
    say_share,
)
from core.yamlmarks import (
    MAX_BYTES,
    DocumentError,
    Misread,
    Problem,
    Reader,
    compose,
    listed,
    position,
    suggestion,
)

__all__ = ["PlanError", "Problem", "load_plan", "parse_plan"]

T = TypeVar("T")


class PlanError(DocumentError):
    """A plan that can't be used; `problems` is never empty, in the file's order. As text: one line a problem."""


_MAX_CHECKPOINTS = 1000
_MIN_TRIGGER_SAMPLES = 2
_SILENT_SAMPLES = 3
_MAX_ALPHA = 0.5

_DEFAULTS = Plan(name="", flag="", baseline="", candidate="", phases=(), triggers=())
_PLAN_KEYS = {
    "name": "a name for the plan",
    "flag": "the key of the feature flag that carries the traffic",
    "baseline": "the name of the version that serves today",
    "candidate": "the name of the version that is to take over",
    "triggers": "a list of triggers; without one nothing rolls back by itself",
    "phases": "a list of phases",
}
_PLAN_OPTIONS = (
    "sample", "minimum", "silence", "disagreement", "revenue", "gauges",
    "guardrails", "confidence", "evidence", "salt", "split_check", "skip_gaps",
    "simulated",
)  # fmt: skip
_PHASE_KEYS = {
    "name": "a name for the phase",
    "traffic": 'a percentage such as "1 %"',
    "lasts": 'a duration such as "2 h", or "permanent"',
    "criteria": "a list of criteria; without one the phase would pass whatever happens",
}
_PHASE_OPTIONS = ("starts", "checkpoints", "at_end", "sign_off", "hold_back")

_HIGHER_IS_BETTER = frozenset({Figure.AVAILABILITY, Figure.REVENUE, Figure.ROI, Figure.CACHE_HIT_RATE})

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMIT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=|==|<|>)\s*(\S.*)")
_TRIGGER = re.compile(r"(.+?)\s+for\s+([^,]+)(?:,\s*then\s+(.+))?")
_GUARDRAIL = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=|<|>)\s*(?:([0-9.]{1,12})\s*[x*]\s*)?baseline"
    r"((?:\s+in\s+(?:segment|region)\s+(?:\"[^\"]+\"|[^\s,\"]+))*)"
    r"(?:,\s*alpha\s+([^,]+))?(?:,\s*then\s+(.+))?"
)
_PLACE = re.compile(r"in\s+(segment|region)\s+(?:\"([^\"]+)\"|([^\s,\"]+))")
_EVERY = re.compile(r"every\s+([^,]+)(?:,\s*(\S+)\s+times)?")
_QUORUM = re.compile(r"([0-9]{1,3})\s+of\s+([0-9]{1,3})\s+samples")
_CONSEQUENCES = {"hold": "hold", "roll back": "roll back", "rollback": "roll back"}


def load_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises:
        PlanError: it is missing, no file, unreadable, too large, not UTF-8, or not a plan (see `parse_plan`).
    """
    name = str(path)

    def unreadable(found: str, expected: str = "the path of a plan file") -> PlanError:
        return PlanError([Problem(name, 0, 0, "", found, expected)])

    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise unreadable("no such file") from None
    except IsADirectoryError:
        raise unreadable("is a directory") from None
    except PermissionError:
        raise unreadable("may not be read", "a file that you may read") from None
    except (OSError, ValueError) as error:
        raise unreadable(f"can't be read ({error})") from None
    if len(raw) > MAX_BYTES:
        raise unreadable(f"is larger than {MAX_BYTES // 1024} KiB", "a plan, which takes a few KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()  # the object is without the byte-order mark, where there was one
        line, column = position(before, len(before))
        found = f"byte 0x{error.object[error.start]:02x}"
        raise PlanError([Problem(name, line, column, "", found, "text in UTF-8")]) from None
    return parse_plan(text, name)


def parse_plan(text: str, name: str = "plan.yaml") -> Plan:
    """Read a plan from YAML text; `name` is what problems call the file.

    The end of a phase is always a checkpoint, whether it is in the list or not. A phase that lasts "permanent" is
    completed after its last checkpoint.

    Raises:
        PlanError: all that is wrong with it. Never anything else, whatever the text.
    """
    root = compose(text, name, f"a plan: a mapping with {listed(_PLAN_KEYS)}", PlanError)
    reader = Reader(name, PlanError)
    plan = _plan(reader, root, text)
    if reader.problems:
        raise PlanError(reader.problems)
    return plan


# --- Single values ---------------------------------------------------------------------------------------------------


def _key(text: str) -> str:
    if _KEY.fullmatch(text) is None:
        raise Misread('a name of letters, digits, ".", "_" and "-", at most 64, such as "fast"')
    return text


def _seat(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text) is None:
        raise Misread('a seat in small letters, such as "engineering"')
    return text


def _text(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > 200 or not words.isprintable():
        raise Misread("a text of at most 200 printable characters")
    return words


def _dispersion(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value <= 1000:
        raise Misread('how much counts vary, in multiples of chance, from 1 up, such as "1.8"')
    return value


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
    except KeyError:
        raise Misread("true or false") from None


def _one_of(choices: Mapping[str, str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise Misread(f"one of {listed(dict.fromkeys(choices.values()))}{suggestion(text, choices)}")
        return choices[text]

    return read


def _traffic(text: str) -> float:
    share = read_share(text)
    if not 0 < share <= 1:
        raise Misread("more than 0 % and at most 100 %")
    return share


def _hold_back(text: str) -> float:
    share = read_share(text)
    if not 0 < share <= 0.5:
        raise Misread("more than 0 % and at most 50 %")
    return share


def _fraction(text: str) -> float:
    share = read_share(text)
    if not 0 <= share <= 1:
        raise Misread("from 0 % to 100 %")
    return share


def _confidence(text: str) -> float:
    share = read_share(text)
    if not 0.5 <= share < 1:
        raise Misread('a confidence from 50 % to below 100 %, such as "95 %"')
    return share


def _minimum(text: str) -> int:
    count = read_count(text)
    if not 1 <= count <= 10**9:
        raise Misread("a whole number from 1 up")
    return count


def _currency(text: str) -> str:
    if re.fullmatch("[A-Z]{3}", text) is None:
        raise Misread('a currency\'s three letters, such as "USD"')
    return text


def _quorum(text: str) -> tuple[int, int]:
    match = _QUORUM.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise Misread('so many of so many samples, such as "2 of 5 samples"')
    return int(match[1]), int(match[2])


def _moment(text: str) -> float | None:
    return read_moment(text)


def _lasts(text: str) -> float:
    """Read a phase's length in seconds; infinity for "permanent"."""
    if text == "permanent":
        return math.inf
    try:
        return read_duration(text)
    except Misread as misread:
        raise Misread(f'{misread.expected}, or "permanent"') from None


def _limit(text: str) -> Limit:
    """Read "figure op value", with the value in the figure's own unit and within what the figure can be."""
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise Misread('a figure, one of < <= > >= ==, and a limit, such as "error_rate < 1 %"')
    name, op, written = match.groups()
    if name not in {str(f) for f in ASKED}:
        raise Misread(f"a figure, one of {listed(ASKED)}{suggestion(name, ASKED)}")
    figure = Figure(name)
    try:
        value = _LIMIT_READERS[figure.unit](written)
    except Misread as misread:
        raise Misread(f"{misread.expected}, for {figure}") from None
    if figure in RELATIVE and not -1 < value <= 10:
        raise Misread(f"for {figure} a limit over -100 % and up to 1000 %")
    if figure not in RELATIVE and figure.unit == "%" and not 0 < value < 1:
        raise Misread(f"for {figure} a limit between 0 % and 100 %, both excluded")
    if figure.unit in {"ms", "bytes"} and value <= 0:
        raise Misread(f"for {figure} a limit over 0")
    if op == "==" and figure.unit:
        raise Misread(f"< or > for {figure}: it is hardly ever exactly so")
    return Limit(figure, op, value)


_LIMIT_READERS: Mapping[str, Callable[[str], float]] = {
    "%": read_share,
    "ms": read_milliseconds,
    "bytes": read_bytes,
    "": read_count,
}


def _criterion(text: str) -> Limit | None:
    """Read what should be so. (Never None: the type leaves room for the default of a criterion that can't be read.)"""
    limit = _limit(text)
    if limit.figure is Figure.INCIDENTS:
        if not limit.holds(0):
            raise Misread('a criterion that no incident meets, such as "incidents == 0"')
    elif limit.op.startswith("<") == (limit.figure in _HIGHER_IS_BETTER):
        better, op = ("more", ">") if limit.figure in _HIGHER_IS_BETTER else ("less", "<")
        raise Misread(f'"{limit.figure} {op} ...": a criterion says what should be so, and {better} of it is better')
    return limit


def _trigger(text: str) -> Trigger:
    """Read what must not be, for how long, and what follows."""
    match = _TRIGGER.fullmatch(text)
    if match is None:
        raise Misread('a limit and how long it is exceeded, such as "error_rate > 1.5 % for 2 min"')
    limit = _limit(match[1])
    if limit.figure in WARN_ONLY:
        raise Misread(f"another figure: {limit.figure} only warns, and can be a criterion but not a trigger")
    if limit.figure is Figure.INCIDENTS:
        if limit.holds(0):
            raise Misread('a trigger that no incident leaves at rest, such as "incidents > 0 for 2 min"')
    elif limit.op.startswith(">") == (limit.figure in _HIGHER_IS_BETTER):
        better, op = ("more", "<") if limit.figure in _HIGHER_IS_BETTER else ("less", ">")
        raise Misread(
            f'"{limit.figure} {op} ...": {better} of it is better, so that this would act on a healthy candidate'
        )
    hold_s = read_duration(match[2].strip())
    return Trigger(limit, hold_s, _one_of(_CONSEQUENCES)(match[3])) if match[3] else Trigger(limit, hold_s)


def _guardrail(text: str) -> Guardrail:
    """Read what must not be, compared with the baseline."""
    match = _GUARDRAIL.fullmatch(text)
    if match is None:
        raise Misread(
            'a figure against the baseline\'s, such as "error_rate > 1.25 x baseline", with \'in segment "new"\', '
            '"in region eu", ", alpha 1 %", ", then hold" after it if need be'
        )
    name, op, margin, places, alpha, then = match.groups()
    compared = [f for f in Figure if f in COMPARED_COUNTS | COMPARED_GAUGES]
    if name in {str(f) for f in RELATIVE}:
        raise Misread(f'{name} among the triggers, such as "{name} < -5 % for 10 min": it is relative already')
    if name not in {str(f) for f in compared}:
        raise Misread(f"a figure that can be compared, one of {listed(compared)}{suggestion(name, compared)}")
    figure = Figure(name)
    if op.startswith(">") == (figure in _HIGHER_IS_BETTER):
        better, right = ("more", "<") if figure in _HIGHER_IS_BETTER else ("less", ">")
        raise Misread(
            f'"{figure} {right} ...": {better} of it is better, so that this would act on a healthy candidate'
        )
    value = 1.0 if margin is None else _margin(margin)
    if value != 1 and (value < 1) != op.startswith("<"):
        raise Misread("a margin that leaves room: 1 or more after >, 1 or less after <")
    told: dict[str, str] = {}
    for kind, quoted, plain in _PLACE.findall(places):
        if kind in told:
            raise Misread(f"one {kind}")
        told[kind] = quoted or plain
    return Guardrail(
        Limit(figure, op, value),
        segment=told.get("segment", ""),
        region=told.get("region", ""),
        alpha=None if alpha is None else read_probability(alpha.strip()),
        then="roll back" if then is None else _one_of(_CONSEQUENCES)(then),
    )


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.05 <= value <= 20:
        raise Misread('a multiple of the baseline from 0.05 to 20, such as "1.25 x baseline"')
    return value


# --- The plan --------------------------------------------------------------------------------------------------------


def _plan(reader: Reader, root: yaml.Node, text: str) -> Plan:
    fields = reader.mapping(root, "", _PLAN_KEYS, _PLAN_OPTIONS)

    def top(key: str, read: Callable[[str], T], default: T) -> T:
        return reader.value(fields.get(key), key, read, default)

    def under(key: str, *known: str) -> dict[str, yaml.Node]:
        node = fields.get(key)
        return {} if node is None else reader.mapping(node, key, {}, known)

    baseline, candidate = top("baseline", _key, ""), top("candidate", _key, "")
    if candidate and candidate == baseline:
        reader.report(fields["candidate"], "candidate", "another version than the baseline")

    sample_s = top("sample", read_duration, _DEFAULTS.sample_s)
    minimum = under("minimum", "rate", "quantile")
    silence = under("silence", "hold", "rollback")
    silent_after_s = reader.value(silence.get("hold"), "silence.hold", read_duration, _SILENT_SAMPLES * sample_s)
    silent_rollback_s = reader.value(
        silence.get("rollback"), "silence.rollback", read_duration, max(_DEFAULTS.silent_rollback_s, silent_after_s)
    )
    if silent_after_s < sample_s:
        reader.report(silence["hold"], "silence.hold", f"at least one sample, {say_duration(sample_s)}")
    if silent_rollback_s < silent_after_s:
        reader.report(silence["rollback"], "silence.rollback", f"at least silence.hold, {say_duration(silent_after_s)}")

    disagreement = under("disagreement", "compare")
    revenue = under("revenue", "per", "currency")
    gauges = under("gauges", "breach")
    guardrails, guardrail_alpha, dispersion = _guardrails(reader, under("guardrails", "alpha", "dispersion", "rules"))
    return Plan(
        name=top("name", _text, ""),
        flag=top("flag", _key, ""),
        baseline=baseline,
        candidate=candidate,
        phases=_phases(reader, fields.get("phases"), sample_s),
        triggers=_triggers(reader, fields.get("triggers"), sample_s),
        salt=top("salt", _text, _DEFAULTS.salt),
        sample_s=sample_s,
        min_requests=reader.value(minimum.get("rate"), "minimum.rate", _minimum, _DEFAULTS.min_requests),
        min_requests_quantile=reader.value(
            minimum.get("quantile"), "minimum.quantile", _minimum, _DEFAULTS.min_requests_quantile
        ),
        silent_after_s=silent_after_s,
        silent_rollback_s=silent_rollback_s,
        confidence=top("confidence", _confidence, _DEFAULTS.confidence),
        evidence=top("evidence", read_probability, _DEFAULTS.evidence),
        gauge_quorum=reader.value(gauges.get("breach"), "gauges.breach", _quorum, _DEFAULTS.gauge_quorum),
        compare_share=reader.value(
            disagreement.get("compare"), "disagreement.compare", _fraction, _DEFAULTS.compare_share
        ),
        revenue_unit=reader.value(
            revenue.get("per"), "revenue.per", _one_of({u: u for u in ("learner", "request")}), _DEFAULTS.revenue_unit
        ),
        currency=reader.value(revenue.get("currency"), "revenue.currency", _currency, _DEFAULTS.currency),
        guardrails=guardrails,
        guardrail_alpha=guardrail_alpha,
        dispersion=dispersion,
        split_check=top("split_check", _boolean, _DEFAULTS.split_check),
        skip_gaps=top("skip_gaps", _boolean, _DEFAULTS.skip_gaps),
        simulated=top("simulated", _text, _DEFAULTS.simulated),
        text=text,
    )


def _triggers(reader: Reader, node: yaml.Node | None, sample_s: float) -> tuple[Trigger, ...]:
    read: list[Trigger] = []
    unread = Trigger(Limit(Figure.INCIDENTS, ">", math.nan), math.nan)
    for field, item in reader.items(node, "triggers", _PLAN_KEYS["triggers"]):
        trigger = reader.value(item, field, _trigger, unread)
        if trigger.hold_s < _MIN_TRIGGER_SAMPLES * sample_s:
            shortest = say_duration(_MIN_TRIGGER_SAMPLES * sample_s)
            reader.report(item, field, f"a hold time of at least {_MIN_TRIGGER_SAMPLES} samples, {shortest}")
        if trigger in read and trigger is not unread:
            reader.report(item, field, f"each trigger once; this one is triggers[{read.index(trigger)}], too")
        read.append(trigger)
    return tuple(read)


def _guardrails(reader: Reader, fields: Mapping[str, yaml.Node]) -> tuple[tuple[Guardrail, ...], float, float | None]:
    """Read the guardrails, the alpha that they share, and the dispersion that is reckoned with."""
    alpha = reader.value(fields.get("alpha"), "guardrails.alpha", read_probability, _DEFAULTS.guardrail_alpha)
    if alpha > _MAX_ALPHA:
        reader.report(fields["alpha"], "guardrails.alpha", f"at most {say_share(_MAX_ALPHA)} of healthy candidates")
    dispersion = reader.value(fields.get("dispersion"), "guardrails.dispersion", _dispersion, None)
    rules = fields.get("rules")
    read: list[Guardrail] = []
    unread = Guardrail(Limit(Figure.INCIDENTS, ">", math.nan))
    own = 0.0
    for field, item in reader.items(rules, "guardrails.rules", "a list of guardrails") if rules is not None else ():
        rule = reader.value(item, field, _guardrail, unread)
        own += rule.alpha or 0.0
        if rule.alpha is not None and own >= alpha:
            expected = f"alphas of their own that add up to less than guardrails.alpha, {say_share(alpha)}"
            reader.report(item, field, expected)
        same = [(r.figure, r.segment, r.region) for r in read]
        if rule is not unread and (rule.figure, rule.segment, rule.region) in same:
            first = same.index((rule.figure, rule.segment, rule.region))
            reader.report(item, field, f"one guardrail a figure and place; guardrails.rules[{first}] is this one")
        read.append(rule)
    return tuple(read), alpha, dispersion


def _phases(reader: Reader, node: yaml.Node | None, sample_s: float) -> tuple[Phase, ...]:
    phases: list[Phase] = []
    for field, item in reader.items(node, "phases", _PLAN_KEYS["phases"]):
        fields = reader.mapping(item, field, _PHASE_KEYS, _PHASE_OPTIONS)
        phase = _phase(reader, fields, field, sample_s)
        _check_order(reader, phases, phase, item, fields, field)
        phases.append(phase)
    return tuple(phases)


def _check_order(
    reader: Reader,
    before: list[Phase],
    phase: Phase,
    item: yaml.Node,
    fields: Mapping[str, yaml.Node],
    field: str,
) -> None:
    """Report what is wrong with a phase in view of those before it."""
    names = [p.name for p in before]
    if phase.name and phase.name in names:
        first = names.index(phase.name)
        reader.report(fields["name"], f"{field}.name", f"a name of its own; phases[{first}] has this one")
    if not before:
        return
    if before[-1].permanent:
        reader.report(item, field, f"no phase after {before[-1].name}, which is permanent", value="another phase")
    if phase.share <= before[-1].share:
        reader.report(
            fields["traffic"], f"{field}.traffic", f"more than the phase before has, {say_share(before[-1].share)}"
        )
    started = [p.starts for p in before if p.starts is not None]
    if phase.starts is not None and started and phase.starts <= started[-1]:
        reader.report(
            fields["starts"], f"{field}.starts", f"a moment after the phase before it starts, {say_moment(started[-1])}"
        )


def _phase(reader: Reader, fields: Mapping[str, yaml.Node], field: str, sample_s: float) -> Phase:
    def get(key: str, read: Callable[[str], T], default: T) -> T:
        return reader.value(fields.get(key), f"{field}.{key}", read, default)

    lasts_s = get("lasts", _lasts, math.nan)
    permanent = math.isinf(lasts_s)
    checkpoints = _checkpoints(reader, fields, f"{field}.checkpoints", lasts_s, sample_s)
    if permanent:
        lasts_s = checkpoints[-1] if checkpoints else math.nan
    elif lasts_s < sample_s:
        reader.report(fields["lasts"], f"{field}.lasts", f"at least one sample, {say_duration(sample_s)}")
    share, hold_back = get("traffic", _traffic, math.nan), get("hold_back", _hold_back, 0.0)
    if hold_back and share < 1:
        expected = "no hold-back where the traffic is below 100 %: the others are with the baseline anyway"
        reader.report(fields["hold_back"], f"{field}.hold_back", expected)
        hold_back = 0.0
    return Phase(
        name=get("name", _text, ""),
        share=round(share - hold_back, 12),
        starts=get("starts", _moment, None),
        lasts_s=lasts_s,
        checkpoints=checkpoints,
        criteria=_criteria(reader, fields.get("criteria"), f"{field}.criteria"),
        at_end=get("at_end", _one_of(_CONSEQUENCES), "hold"),
        permanent=permanent,
        sign_off=_sign_off(reader, fields.get("sign_off"), f"{field}.sign_off"),
        hold_back=hold_back,
    )


def _sign_off(reader: Reader, node: yaml.Node | None, field: str) -> SignOff | None:
    """Read a list of seats, all of whom must agree, or a mapping with seats and a quorum."""
    if node is None:
        return None
    quorum = None
    if isinstance(node, yaml.MappingNode):
        parts = reader.mapping(node, field, {"seats": "a list of seats"}, ("quorum",))
        quorum = reader.value(parts.get("quorum"), f"{field}.quorum", _minimum, None)
        node, field = parts.get("seats"), f"{field}.seats"
    seats: list[str] = []
    for path, item in reader.items(node, field, 'a list of seats such as "[engineering, operations]"'):
        seat = reader.value(item, path, _seat, "")
        if seat and seat in seats:
            reader.report(item, path, "each seat once")
        seats.append(seat)
    if quorum is not None and seats and quorum > len(seats):
        assert node is not None
        reader.report(node, field, f"at least as many seats as the quorum asks for, {quorum}", value=str(len(seats)))
    return SignOff(tuple(seats), len(seats) if quorum is None else quorum)


def _criteria(reader: Reader, node: yaml.Node | None, field: str) -> tuple[Limit, ...]:
    criteria: dict[Figure, Limit] = {}
    for path, item in reader.items(node, field, _PHASE_KEYS["criteria"]):
        limit = reader.value(item, path, _criterion, None)
        if limit is None:
            continue
        if limit.figure in criteria:
            reader.report(item, path, f"one criterion a figure; {limit.figure} has one already")
        criteria[limit.figure] = limit
    return tuple(criteria.values())


def _checkpoints(
    reader: Reader, fields: Mapping[str, yaml.Node], field: str, lasts_s: float, sample_s: float
) -> tuple[float, ...]:
    """Return a phase's checkpoints; its end is always the last. Empty where they, or its length, can't be read."""
    node = fields.get("checkpoints")
    permanent = math.isinf(lasts_s)
    if node is None:
        if permanent:
            expected = 'checkpoints: "every 1 d, 13 times", as it lasts for good and is completed after the last one'
            reader.report(fields["lasts"], field, expected, value="")
        return () if permanent else (lasts_s,)
    if isinstance(node, yaml.ScalarNode):
        times = _repeated(reader, node, field, lasts_s)
    else:
        times = _one_by_one(reader, node, field)
    if not times:
        return ()
    place, steps = [n for n, _ in times], [t for _, t in times]
    for at, before, where in zip(steps, [0.0, *steps], place, strict=False):
        if at > lasts_s:
            reader.report(where, field, f"checkpoints within the phase, which lasts {say_duration(lasts_s)}")
            break
        if at - before < sample_s:
            reader.report(where, field, f"ascending times, at least one sample, {say_duration(sample_s)}, apart")
            break
    if not permanent and steps[-1] < lasts_s:
        steps.append(lasts_s)
    return tuple(steps)


def _one_by_one(reader: Reader, node: yaml.Node, field: str) -> list[tuple[yaml.Node, float]]:
    expected = 'a list of durations such as "[15 min, 30 min]", or "every 15 min"'
    return [
        (item, reader.value(item, path, read_duration, math.nan)) for path, item in reader.items(node, field, expected)
    ]


def _repeated(reader: Reader, node: yaml.ScalarNode, field: str, lasts_s: float) -> list[tuple[yaml.Node, float]]:
    """Read "every 15 min" (to the phase's end) and "every 1 d, 13 times"."""

    def read(text: str) -> list[float]:
        match = _EVERY.fullmatch(text)
        if match is None:
            raise Misread('a list of durations such as "[15 min, 30 min]", or "every 15 min", or "every 1 d, 13 times"')
        step = read_duration(match[1].strip())
        if match[2] is None and math.isinf(lasts_s):
            raise Misread('how many times, too, as in "every 1 d, 13 times", because the phase lasts for good')
        if match[2] is None:
            count = 0 if math.isnan(lasts_s) else int(min(lasts_s / step, _MAX_CHECKPOINTS + 1))
        else:
            count = read_count(match[2])
        if count > _MAX_CHECKPOINTS or (match[2] is not None and count < 1):
            raise Misread(f"from 1 to {_MAX_CHECKPOINTS} checkpoints")
        return [step * i for i in range(1, count + 1)]

    times: list[float] = reader.value(node, field, read, [])
    return [(node, at) for at in times]
