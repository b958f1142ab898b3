"""docs/metrics.md, from the metrics themselves: `python -m console.metrics_page > docs/metrics.md`."""

from __future__ import annotations

from streams.metrics import CATALOGUE, Declared, Part

_HEAD = """\
# Metrics

Each worker, each sink, notify and the partners' endpoint answer Prometheus at `/metrics` of its address (setting
`http`, see [settings.md](settings.md)); what to watch and when to wake somebody is in [operations.md](operations.md).

- Counters begin at 0 with the process: use `rate` and `increase`. A histogram `x` is `x_bucket`, `x_sum` and `x_count`.
- Gauges are read from the folds, queues and topics at the moment of the scrape. One that cannot be known then (the
  broker does not say where a topic ends) is not shown; a label without a value has nothing to count.
- A payment is open in one worker only, so sums over workers count each once.
- `process_*` (memory, processor time, open files) come with the client library.
"""
_PARTS: dict[Part, str] = {
    "worker": "Workers",
    "sink": "Sinks",
    "notify": "Notify",
    "partner": "The partners' endpoint",
}
_TAIL = """
This page is made by `python -m console.metrics_page > docs/metrics.md`; a test compares it with the metrics.
"""


def page() -> str:
    """The whole page as Markdown."""
    return _HEAD + "".join(_section(part, title) for part, title in _PARTS.items()) + _TAIL


def _section(part: Part, title: str) -> str:
    head = f"\n## {title}\n\n| metric | type | labels | unit | what it is |\n|---|---|---|---|---|\n"
    return head + "".join(_row(one) for one in CATALOGUE if one.part == part)


def _row(one: Declared) -> str:
    labels = " ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.kind} | {labels} | {one.unit} | {one.meaning} |\n"


if __name__ == "__main__":
    print(page(), end="")
