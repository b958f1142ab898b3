"""A chart of accounts written by hand, TOML or JSON."""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
from pydantic import ValidationError

from console.errors import BadInput
from console.explain import fields
from schemas.chart import Chart


def read_chart(path: Path, tree: str | None, version: int) -> Chart:
    """The file's chart as this version of the tree's (None: of all trees'); what `kassa chart show --json` prints, too.

    Raises BadInput with the file's name, where in it, and what is wrong.
    """
    try:
        text = path.read_bytes()
        value = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text.decode())
        if not isinstance(value, dict):
            raise BadInput("is a list, not a chart")
        of = value.pop("tree", tree)
        if of not in (None, tree):
            raise BadInput(f"it is the chart of tree {of}: say --tree {of}")
        return Chart.model_validate_json(orjson.dumps({**value, "tree": tree, "version": version}))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {fields(error)}") from None
    except (ValueError, BadInput) as error:
        raise BadInput(f"{path}: {error}") from None
