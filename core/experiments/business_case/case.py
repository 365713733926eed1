"""A named business case: its inputs as they were written, what is reported elsewhere, and where the lift comes from.

Read from YAML with every problem's place, and written so that it reads back the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from core.experiments.business_case.inputs import FIELD, FIELDS, Inputs
from core.experiments.business_case.lift import Lift, LiftError, load_lift
from core.experiments.business_case.uncertain import Uncertain, Unit, read, written
from core.yamlmarks import MAX_BYTES, DocumentError, Misread, Problem, Reader, compose, listed, position

REPORTED = {
    "annual_benefit": Unit.MONEY,
    "revenue": Unit.MONEY,
    "kept": Unit.MONEY,
    "operations": Unit.MONEY,
    "saved_learners": Unit.COUNT,
    "costs": Unit.MONEY,
    "payback_days": Unit.COUNT,
    "three_year_value": Unit.MONEY,
    "multiple": Unit.COUNT,
}
"""What a document may have reported, with its unit."""

_REQUIRED = {
    "name": "a name for the case",
    **{f.name: f"{f.label.lower()}, {f.about}" for f in FIELDS if f.default is None},
}
_OPTIONS = (
    "currency", *(f.name for f in FIELDS if f.default is not None), "lift_source", "simulated", "reported_by",
    "reported", "notes",
)  # fmt: skip
_LIFT_KEYS = {
    "experiment": "a file that `canary experiment --json` wrote",
    "metric": "the metric whose relative difference is the lift",
}
_MAX_NOTES = 20


class CaseError(DocumentError):
    """A case that can't be used; `problems` is never empty, in the file's order. As text: one line a problem."""


@dataclass(frozen=True, slots=True)
class Case:
    """A business case.

    Attributes:
        texts: the inputs as they were written, by field. inputs: as they were read.
        lift_source: where the lift comes from; "" where somebody typed it.
        simulated: what is made up about it; "" where nothing is known to be.
        reported: figures of somebody else's document, by the names of `REPORTED`. reported_by: whose.
        notes: what is to be known of it, as sentences.
    """

    name: str
    currency: str
    texts: Mapping[str, str]
    inputs: Inputs
    lift_source: str = ""
    simulated: str = ""
    reported: Mapping[str, float] = field(default_factory=dict)
    reported_by: str = ""
    notes: tuple[str, ...] = ()

    def with_lift(self, lift: Lift) -> Case:
        """Return the case with the lift of an experiment."""
        return replace(
            self,
            texts={**self.texts, "lift": written(lift.lift, Unit.SHARE)},
            inputs=replace(self.inputs, lift=lift.lift),
            lift_source=lift.source,
            simulated=lift.simulated,
        )

    def to_yaml(self) -> str:
        """Write the case; `parse_case` reads it back the same."""
        document: dict[str, object] = {"name": self.name, "currency": self.currency, **self.texts}
        for name in ("lift_source", "simulated", "reported_by"):
            if getattr(self, name):
                document[name] = getattr(self, name)
        if self.reported:
            document["reported"] = {
                name: written(Uncertain(number), REPORTED[name]) for name, number in self.reported.items()
            }
        if self.notes:
            document["notes"] = list(self.notes)
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def with_texts(case: Case, texts: Mapping[str, str], name: str | None = None, currency: str | None = None) -> Case:
    """Return a case with other inputs; a lift that differs was typed, so it comes from no experiment any more.

    Args:
        texts: by field, all of them. name, currency: None leaves the case's.

    Raises:
        CaseError: with a problem for each input that can't be used; `field` says which, lines are 0.
    """
    problems, inputs = [], {}
    try:
        money_in = case.currency if currency is None else _currency(currency.strip())
        called = case.name if name is None else _text(name)
    except Misread as misread:
        problems.append(Problem("Name and currency", 0, 0, "currency", currency or "", misread.expected))
    for one in FIELDS:
        text = texts[one.name].strip()
        try:
            inputs[one.name] = one.read(text)
        except Misread as misread:
            problems.append(Problem(one.label, 0, 0, one.name, text, misread.expected))
    if problems:
        raise CaseError(problems)
    changed = replace(case, name=called, currency=money_in, texts=dict(texts), inputs=Inputs(**inputs))
    return changed if changed.inputs.lift == case.inputs.lift else replace(changed, lift_source="", simulated="")


def load_case(path: str | Path) -> Case:
    """Read a case from a file; an experiment it names is looked for beside it.

    Raises:
        CaseError: it can't be read, or isn't a case; see `parse_case`.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(name, "no such file") from None
    except IsADirectoryError:
        raise _unreadable(name, "is a directory") from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, f"can't be read ({error})") from None
    if len(raw) > MAX_BYTES:
        raise _unreadable(name, f"is larger than {MAX_BYTES // 1024} KiB", "a business case, which takes a few KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        found = f"byte 0x{error.object[error.start]:02x}"
        raise CaseError([Problem(name, *position(before, len(before)), "", found, "text in UTF-8")]) from None
    return parse_case(text, name, Path(path).parent)


def _unreadable(name: str, found: str, expected: str = "the path of a business case in YAML") -> CaseError:
    return CaseError([Problem(name, 0, 0, "", found, expected)])


def parse_case(text: str, name: str = "case.yaml", folder: Path | None = None) -> Case:
    """Read a case from YAML text.

    Args:
        text: at most `MAX_BYTES`. name: what problems call it.
        folder: where an experiment's file is looked for; None where none may be named.

    Raises:
        CaseError: all that is wrong with it.
    """
    root = compose(text, name, f"a business case: a mapping with {listed(_REQUIRED)}", CaseError)
    reader = Reader(name, CaseError)
    case = _case(reader, root, folder)
    if reader.problems or case is None:
        raise CaseError(reader.problems)
    return case


def _case(reader: Reader, root: yaml.Node, folder: Path | None) -> Case | None:
    nodes = reader.mapping(root, "", _REQUIRED, _OPTIONS)
    lift = _lift(reader, nodes["lift"], folder) if isinstance(nodes.get("lift"), yaml.MappingNode) else None
    texts, found = {}, {}
    for one in FIELDS:
        node = nodes.get(one.name)
        if one.name == "lift" and isinstance(node, yaml.MappingNode):
            continue
        texts[one.name] = node.value.strip() if isinstance(node, yaml.ScalarNode) else one.default or ""
        found[one.name] = reader.value(node, one.name, one.read, Uncertain(float("nan")))
        if node is None and one.default is not None:
            found[one.name] = one.read(one.default)
    case_name = reader.value(nodes.get("name"), "name", _text, "")
    currency = reader.value(nodes.get("currency"), "currency", _currency, "USD")
    said = {key: reader.value(nodes.get(key), key, _text, "") for key in ("lift_source", "simulated", "reported_by")}
    reported = _reported(reader, nodes.get("reported"))
    notes = tuple(
        reader.value(node, path, _text, "")
        for path, node in reader.items(nodes.get("notes"), "notes", "a list of sentences")
    )
    if len(notes) > _MAX_NOTES:
        reader.report(nodes["notes"], "notes", f"at most {_MAX_NOTES} sentences", f"{len(notes)} sentences")
    if reader.problems:
        return None
    found.setdefault("lift", Uncertain(0.0))
    texts.setdefault("lift", "")
    ordered = {one.name: texts[one.name] for one in FIELDS}
    case = Case(case_name, currency, ordered, Inputs(**found), reported=reported, notes=notes, **said)
    return case if lift is None else case.with_lift(lift)


def _lift(reader: Reader, node: yaml.Node, folder: Path | None) -> Lift | None:
    keys = reader.mapping(node, "lift", _LIFT_KEYS)
    path = reader.value(keys.get("experiment"), "lift.experiment", _text, "")
    metric = reader.value(keys.get("metric"), "lift.metric", _text, "")
    if not path or not metric:
        return None
    if folder is None:
        reader.report(
            keys["experiment"], "lift.experiment", 'a lift such as "5.8 % (5.4 % to 6.3 %)": files are for files'
        )
        return None
    try:
        found = load_lift(folder / path, metric)
        FIELD["lift"].read(written(found.lift, Unit.SHARE))
    except LiftError as error:
        at = "metric" if error.metric else "experiment"
        reader.report(keys[at], f"lift.{at}", error.expected, error.found or None)
        return None
    except Misread as misread:
        reader.report(keys["metric"], "lift.metric", f"a lift {misread.expected}", written(found.lift, Unit.SHARE))
        return None
    return found


def _reported(reader: Reader, node: yaml.Node | None) -> dict[str, float]:
    if node is None:
        return {}
    nodes = reader.mapping(node, "reported", {}, tuple(REPORTED))
    return {
        name: reader.value(nodes[name], f"reported.{name}", _exactly(unit), float("nan"))
        for name, unit in REPORTED.items()
        if name in nodes
    }


def _exactly(unit: Unit) -> Callable[[str], float]:
    def one(text: str) -> float:
        found = read(text, unit)
        if found.low is not None:
            raise Misread("one figure, as it was reported")
        return found.value

    return one


def _text(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > 400 or not words.isprintable():
        raise Misread("a text of at most 400 printable characters")
    return words


def _currency(text: str) -> str:
    if re.fullmatch("[A-Z]{3}", text) is None:
        raise Misread('a currency\'s three letters, such as "USD"')
    return text
