"""A chart of accounts written by hand, TOML or JSON."""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import ValidationError

from console.errors import BadInput
from console.explain import fields
from console.written_by_hand import read_record
from schemas.chart import Chart


def read_chart(path: Path, tree: str | None, version: int) -> Chart:
    """The file's chart as this version of the tree's (None: of all trees'); what `kassa chart show --json` prints, too.

    Raises BadInput with the file's name, where in it, and what is wrong.
    """
    try:
        value = read_record(path, "chart")
        of = value.pop("tree", tree)
        if of not in (None, tree):
            raise BadInput(f"it is the chart of tree {of}: say --tree {of}")
        return Chart.model_validate_json(orjson.dumps({**value, "tree": tree, "version": version}))
    except ValidationError as error:
        raise BadInput(f"{path}: {fields(error)}") from None
    except (ValueError, orjson.JSONEncodeError, BadInput) as error:  # which is how orjson takes a number above 64 bits
        raise BadInput(f"{path}: {error}") from None
