"""How the command line says that a payee is served offline."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from console.errors import BadInput
from console.payee_offline import terms_of
from schemas.offline import FileDrop, HttpUpload, MailDrop


@pytest.mark.parametrize(
    ("to", "credentials", "delivery"),
    [
        ("file:water", None, FileDrop(directory="water")),
        ("mail:in@water.example", None, MailDrop(address="in@water.example")),
        ("https://water.example/in", "water", HttpUpload(url="https://water.example/in", credentials="water")),
        ("post+https://water.example/in", None, HttpUpload(url="https://water.example/in", method="POST")),
    ],
)
def test_each_way_is_one_word(to: str, credentials: str | None, delivery: object):
    terms = terms_of("0 0 * * *", to, "csv", credentials)
    assert terms is not None
    assert (terms.cut_off, terms.form, terms.delivery) == ("0 0 * * *", "csv", delivery)


def test_without_a_cut_off_a_payee_is_served_online():
    assert terms_of(None, None, "tsv", None) is None


@pytest.mark.parametrize(
    ("cut_off", "to", "credentials"),
    [
        ("0 0 * * *", None, None),
        (None, "file:water", None),
        (None, None, "water"),
        ("0 0 * * *", "file:", None),
        ("0 0 * * *", "fax:17", None),
        ("0 0 * * *", "file:water", "water"),
    ],
)
def test_half_of_it_is_refused_in_one_line(cut_off: str | None, to: str | None, credentials: str | None):
    with pytest.raises(BadInput):
        terms_of(cut_off, to, "tsv", credentials)


def test_a_directory_outside_is_refused():
    with pytest.raises(ValidationError):
        terms_of("0 0 * * *", "file:../etc", "tsv", None)
