"""`kassa doctor`: look at everything an installation stands on, and say what to do about what is wrong."""

from __future__ import annotations

import time

import typer

from console.context import load_settings
from console.doctor_findings import Finding, Verdict
from console.errors import Differs
from console.options import AsJson
from console.output import json_line, say


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look at broker, topics, warehouse, clocks, keys, queues, workers and sinks; say what is wrong and what to do."""
    from console.doctor_rounds import examine  # the engines' clients take a while to import

    began = time.monotonic()
    findings = examine(load_settings())
    for finding in findings:
        json_line(_as_json(finding)) if as_json else _print(finding)
    failed, warned = (sum(one.verdict is verdict for one in findings) for verdict in (Verdict.FAIL, Verdict.WARN))
    elapsed_s = time.monotonic() - began
    if as_json:
        json_line({"ok": not failed, "failed": failed, "warned": warned, "elapsed_s": round(elapsed_s, 3)})
    else:
        say(f"doctor: {len(findings)} checks, {failed} failed, {warned} warnings, {elapsed_s:.1f} s")
    if failed:
        raise Differs(f"{failed} of {len(findings)} checks failed")


def _as_json(finding: Finding) -> dict[str, str]:
    return {"check": finding.check, "verdict": finding.verdict, "says": finding.says, "advice": finding.advice}


def _print(finding: Finding) -> None:
    say(f"{finding.verdict:4}  {finding.check:22}  {finding.says}")
    if finding.advice:
        say(f"{'':4}  {'':22}  → {finding.advice}")
