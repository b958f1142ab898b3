"""Which cell of a row belongs to which column: the header against what the reader of the file wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console.errors import BadInput

MOST_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names in lower case. `further`: columns nobody asked for are passed over, or with `keep` read under their own

    names; without it they are refused.
    """

    columns: Sequence[str]
    optional: Sequence[str] = ()
    further: bool = False
    keep: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.columns, *self.optional)


def placed(header: Sequence[str], wanted: Wanted, *, longest: int = 0) -> dict[str, int]:
    """Wanted name → the place of its column, from 0. Raises BadInput in one line that names what is amiss.

    Case and spaces around do not matter. longest: the most characters a name can have in this kind of file, or 0.
    """
    if len(header) > MOST_COLUMNS:
        raise BadInput(f"the header has {len(header)} columns; a table has at most {MOST_COLUMNS}")
    here = [name.strip().casefold() for name in header]
    written = {name[:longest] if longest else name: name for name in wanted.names}
    counted = Counter(name for name in here if name)
    faults = []
    if missing := [name for name in wanted.columns if (name[:longest] if longest else name) not in counted]:
        faults.append(f"{', '.join(missing)} missing")
    if twice := [name for name, count in counted.items() if count > 1 and (name in written or wanted.keep)]:
        faults.append(f"{', '.join(twice)} given more than once")
    if not wanted.further and (unknown := [name for name in counted if name not in written]):
        faults.append(f"{', '.join(name[:40] for name in unknown[:10])} not known")
    if faults:
        also = f", may have {', '.join(wanted.optional)}" if wanted.optional else ""
        raise BadInput(f"the columns are {'; '.join(faults)}: a table must have {', '.join(wanted.columns)}{also}")
    return {
        written.get(name, name): place for place, name in enumerate(here) if name in written or (wanted.keep and name)
    }
