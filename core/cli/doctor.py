"""`canary doctor`: is this installation well, and if not, how to mend it."""

from __future__ import annotations

from dataclasses import asdict

from rich.markup import escape

from core.cli.output import NO, err, out, print_json, stop
from core.cli.root import Json, app, settings
from core.doctor import Grade, examine

_MARKS = {Grade.OK: "[green]ok     [/]", Grade.WARNING: "[yellow]warning[/]", Grade.FAILED: "[bold red]failed [/]"}


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check database, event log, backups, monitor, switch, sources, clock, sign-in, secrets, versions; change nothing.

    Each line says what is so, and how to mend what isn't. Exit code 1 if anything failed; warnings are no failure.

    Examples:

      canary doctor

      canary doctor --json | jq '.checks[] | select(.grade == "failed")'
    """
    with err.status("looking ..."):
        found = examine(settings())
    failures = sum(finding.grade is Grade.FAILED for finding in found)
    warnings = sum(finding.grade is Grade.WARNING for finding in found)
    if as_json:
        print_json({"ok": not failures, "checks": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            out.print(f"{_MARKS[finding.grade]}  [bold]{finding.check}[/]: {escape(finding.says)}", soft_wrap=True)
            if finding.mend:
                out.print(f"         [dim]→[/] {escape(finding.mend)}", soft_wrap=True)
        out.print(f"{len(found)} looked at: {failures} failed, {warnings} to think about")
    if failures:
        stop(NO)
