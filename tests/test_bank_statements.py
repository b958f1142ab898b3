"""What is read of a bank statement, as CSV and as camt.053, and which deposits come of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from console.bank_camt import read_camt
from console.bank_csv import read_csv
from console.bank_line import Credit, Fault, Statement, deposits
from console.errors import BadInput
from schemas.balance import Balance
from streams.ledger.balances import balance_of
from tests.builders import AT, a_state, a_tree, close, decided, open_agent
from tests.builders_currency import open_currency

HEADER = "account;reference;booked;amount;currency;text\n"
FIRST = "40702810900000000001;B-1;2026-11-23;1000.50;RUB;Top-up AGENT:A/S\n"


def agents() -> list[Balance]:
    """A and S with money, P on A's, X closed; and a tree in dollars."""
    state = a_tree()
    for command in (open_agent("P", "A", funding="shared"), open_agent("X", "A"), close("X")):
        decided(state, command)
    dollars = a_state(open_agent("D", tree="D", currency="USD"), open_currency("D", "KWD", "D"))
    return [balance_of(one.books[book], purse.id, AT, purse.currency) for one, book in ((state, "A"), (dollars, "D"))
            for agent in one.books[book].agents for purse in one.books[book].purses(agent)]  # fmt: skip


def read(*rows: str) -> Statement:
    return read_csv((HEADER + "".join(rows)).encode())


def wrong(*rows: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.why) for fault in deposits(read(*rows), agents())[1]]


# --- CSV


def test_a_row_is_a_credit_and_becomes_a_deposit():
    statement = read(FIRST)
    account = "40702810900000000001"
    credit = Credit(2, account, "B-1", date(2026, 11, 23), 100_050, "RUB", "Top-up AGENT:A/S")
    assert (statement.credits, statement.faults, statement.passed_over) == ([credit], [], 0)
    ((of, command),), faults = deposits(statement, agents())
    assert (of, faults) == (credit, [])
    assert (command.tree, command.agent, command.amount, command.currency) == ("A", "S", 100_050, "RUB")
    assert (command.document, command.issued_at) == ("B-1", datetime(2026, 11, 23, tzinfo=UTC))


def test_a_credit_in_a_further_currency_of_the_agent_is_a_deposit_in_it():
    ((_, command),), faults = deposits(read("4;B-2;2026-11-23;5.125;KWD;AGENT:D/D\n"), agents())
    assert (command.amount, command.currency, faults) == (5_125, "KWD", [])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(";", ","),
        lambda text: text.replace(";", "\t"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n".join(";".join(reversed(row.split(";"))) for row in text.splitlines()),
        lambda text: "\n".join(f"{row};more" for row in text.splitlines()),
        lambda text: text.replace("Top-up AGENT", '"Top-up;\nAGENT').replace("A/S", 'A/S"'),
    ],
    ids=["commas", "tabs", "byte order mark", "Windows", "other order", "further column", "two lines"],
)
def test_however_a_csv_is_written_the_same_deposit_comes_of_it(change: Callable[[str], str]):
    usual, other = (deposits(read_csv(text.encode()), agents())[0] for text in (HEADER + FIRST, change(HEADER + FIRST)))
    assert [command.digest() for _, command in usual] == [command.digest() for _, command in other] != []


def test_debits_are_passed_over_and_counted_and_empty_rows_are_nothing():
    statement = read(FIRST, "\n", "40702;B-2;2026-11-23;-5.00;RUB;rent\n", " ; ; ; ; ; \n")
    assert (len(statement.credits), statement.passed_over, statement.faults) == (1, 1, [])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("4;B-2;2026-11-23;1,5;RUB;AGENT:A/S", "'1,5' is not an amount in RUB with at most 2 decimals"),
        ("4;B-2;2026-11-23;1.001;RUB;AGENT:A/S", "'1.001' is not an amount in RUB with at most 2 decimals"),
        ("4;B-2;2026-11-23;0.00;RUB;AGENT:A/S", "the amount is zero"),
        ("4;B-2;2026-11-23;5;XXX;AGENT:A/S", "unknown currency 'XXX': expected an ISO 4217 code"),
        ("4;B-2;23.11.2026;5;RUB;AGENT:A/S", "'23.11.2026' is not a day: write YYYY-MM-DD, such as 2026-11-23"),
        ("4;B-2;2026-11-23;5;RUB", "has 5 cells, the header 6"),
        (";B-2;2026-11-23;5;RUB;AGENT:A/S", "names no bank account"),
        ("4;;2026-11-23;5;RUB;AGENT:A/S", "the bank's reference must have 1 to 200 characters"),
        ("4;B-2;2026-11-23;5;RUB;rent", "names 0 agents; the text must say AGENT:<tree>/<agent> of one"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:A/S AGENT:A/A", "names 2 agents; the text must say AGENT:<tree>/<agent> of one"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:A/S/T", "names 0 agents; the text must say AGENT:<tree>/<agent> of one"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:A/nobody", "there is no agent nobody in tree A"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:A/X", "agent X is closed"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:A/P", "agent P spends the money of A: it has no deposits"),
        ("4;B-2;2026-11-23;5;RUB;AGENT:D/D", "agent D is in USD, KWD, the money in RUB"),
        (FIRST.strip(), "reference B-1 stands on line 2 already"),
        (
            "DE02 1203;B-2;2026-11-23;5;RUB;AGENT:A/S",
            "the bank account has spaces in it: write it without, as camt.053 has it, or a credit could count twice",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(row: str, why: str):
    assert wrong(FIRST, row + "\n") == [(3, why)]


def test_all_faults_are_found_at_once_in_the_order_of_the_lines():
    assert [line for line, _ in wrong("4;B;2026-11-23;5;RUB;x\n", FIRST, "4;C;2026-11-23;x;RUB;x\n")] == [2, 4]


def test_a_row_after_a_text_of_several_lines_is_named_by_its_own_line():
    assert [line for line, _ in wrong(FIRST.replace("Top-up", '"Top\n\nup').replace("A/S", 'A/S"'), "4;B;;;;x\n")] == [
        5
    ]


def test_credits_that_are_nobody_s_deposit_are_left_by_their_references():
    statement = read(FIRST, "4;B-2;2026-11-23;5;RUB;interest\n")
    assert deposits(statement, agents())[1] == [
        Fault(3, "names 0 agents; the text must say AGENT:<tree>/<agent> of one", "B-2")
    ]
    assert (statement.leave(["B-2", "B-3"]), statement.passed_over) == ("B-3", 0)
    assert (statement.leave(["B-2"]), statement.passed_over) == (None, 1)
    found, faults = deposits(statement, agents())
    assert ([credit.reference for credit, _ in found], faults) == (["B-1"], [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "account, reference, booked, amount, currency, text is missing"),
        (b"account;reference;booked;amount;currency\n", "text is missing"),
        (HEADER.replace("text", "text;Amount").encode(), "names amount more than once: which of them counts"),
        (HEADER.encode() + b"\xff\xfe", "not UTF-8 at byte 46"),
        (HEADER.encode() + b'4;"B', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_such_csv_is_refused(content: bytes, words: str):
    with pytest.raises(BadInput, match=words):
        read_csv(content)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("AGENT:A/S", True),
        ("xAGENT:A/S,", True),
        ("AGENT:A/S AGENT:A/S", True),
        ("agent:A/S", False),
        ("AGENT: A/S", False),
    ],
)
def test_an_agent_is_found_in_a_payer_s_text(text: str, is_found: bool):
    assert bool(wrong(FIRST.replace("AGENT:A/S", text))) != is_found


def test_the_id_is_made_of_the_bank_account_and_its_reference_alone():
    def id_of(row: str) -> str:
        return deposits(read(row), agents())[0][0][1].id

    assert id_of(FIRST) == id_of(FIRST.replace("1000.50", "7").replace("2026-11-23", "2026-11-24"))
    others = [FIRST, FIRST.replace("B-1", "B-2"), FIRST.replace("40702", "40703"), FIRST.replace("1;B-1", ";1B-1")]
    assert len({id_of(row) for row in others}) == 4


# --- camt.053


def entry(
    amount: str = "1000.50", reference: str = "B-1", text: str = "Top-up AGENT:A/S", details: str | None = None,
    side: str = "CRDT", status: str = "BOOK", more: str = "",
) -> str:  # fmt: skip
    usual = f"<TxDtls><Refs><AcctSvcrRef>{reference}</AcctSvcrRef></Refs>{remittance(text)}</TxDtls>"
    return (
        f'\n<Ntry><Amt Ccy="RUB">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{more}<Sts><Cd>{status}</Cd></Sts>'
        f"<BookgDt><Dt>2026-11-23</Dt></BookgDt><AcctSvcrRef>E-{reference}</AcctSvcrRef>"
        f"<NtryDtls>{usual if details is None else details}</NtryDtls></Ntry>"
    )


def remittance(*pieces: str) -> str:
    return f"<RmtInf>{''.join(f'<Ustrd>{piece}</Ustrd>' for piece in pieces)}</RmtInf>"


def detail(amount: str, reference: str, agent: str, currency: str = "RUB") -> str:
    refs = f"<Refs><AcctSvcrRef>{reference}</AcctSvcrRef></Refs>"
    return f'\n<TxDtls>{refs}<Amt Ccy="{currency}">{amount}</Amt>{remittance(f"AGENT:A/{agent}")}</TxDtls>'


def document(*entries: str, version: str = "08") -> bytes:
    account = "<Acct><Id><Othr><Id>40702810900000000001</Id></Othr></Id></Acct>"
    space = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{space}"><BkToCstmrStmt>'
        f"<Stmt>{account}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def test_the_same_credit_is_the_same_deposit_in_either_form():
    by_camt, by_csv = (deposits(one, agents())[0] for one in (read_camt(document(entry())), read(FIRST)))
    assert [command for _, command in by_camt] == [command for _, command in by_csv] != []
    assert by_camt[0][0].line == 3


@pytest.mark.parametrize(
    "changes", [{"side": "DBIT"}, {"status": "PDNG"}, {"more": "<RvslInd>true</RvslInd>"}], ids=str
)
def test_what_is_no_booked_credit_is_passed_over(changes: dict[str, str]):
    statement = read_camt(document(entry(**changes), entry(reference="B-2", more="<RvslInd>false</RvslInd>")))
    assert ([one.reference for one in statement.credits], statement.passed_over) == (["B-2"], 1)


def test_a_credit_that_the_bank_took_back_is_counted_beside_what_is_passed_over():
    back = "<RvslInd>true</RvslInd>"
    statement = read_camt(
        document(entry(side="DBIT", more=back), entry(side="DBIT"), entry(more=back),
                 entry(side="DBIT", more=back, status="PDNG"))
    )  # fmt: skip
    assert (statement.passed_over, statement.taken_back) == (4, 1)


def test_an_iban_goes_before_another_number_and_a_time_is_a_day():
    text = document(entry()).decode().replace("<Othr>", "<IBAN>DE02</IBAN><Othr>")
    (credit,) = read_camt(
        text.replace("<Dt>2026-11-23</Dt>", "<DtTm>2026-11-23T23:59:59+03:00</DtTm>").encode()
    ).credits
    assert (credit.account, credit.booked) == ("DE02", date(2026, 11, 23))


@pytest.mark.parametrize(
    "details",
    [
        f"<TxDtls>{remittance('Top-up AGENT:', 'A/S')}</TxDtls>",
        "<TxDtls><RmtInf><Strd><CdtrRefInf><Ref>AGENT:A/S</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>",
    ],
    ids=["cut in two", "structured"],
)
def test_an_agent_is_found_in_every_kind_of_remittance_and_the_entry_s_reference_counts(details: str):
    ((_, command),), faults = deposits(read_camt(document(entry(details=details))), agents())
    assert (command.agent, command.document, faults) == ("S", "E-B-1", [])


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (("AGENT:A/S", "A new till"), "may name agent A/S or A/SA: the bank cut the text there"),
        (("Top-up AGENT:A/S", "thanks"), "S"),
        (("AGENT:A/", "S", "A"), "may name agent A/S or A/SA: the bank cut the text there"),
        (("AG", "ENT:", "A", "/S", " 12"), "S"),
        (("AGENT:A/S", "B"), "S"),
        (("AGENT:A/no", "body"), "there is no agent nobody in tree A"),
        (("AGENT:A/S AGENT:A/nobo", "dy"), "names 2 agents; the text must say AGENT:<tree>/<agent> of one"),
        (("AGENT:A/S", "/T"), "names 0 agents; the text must say AGENT:<tree>/<agent> of one"),
    ],
)
def test_where_a_bank_cut_a_text_no_other_agent_is_read_into_it(pieces: tuple[str, ...], found: str):
    """SA is an agent too: money for S would be SA's, were a name to go on wherever the next piece begins."""
    details = f"<TxDtls>{remittance(*pieces)}</TxDtls>"
    made, faults = deposits(read_camt(document(entry(details=details))), [*agents(), another("SA")])
    assert [command.agent for _, command in made] + [fault.why for fault in faults] == [found]


def another(agent: str) -> Balance:
    state = a_state(open_agent("A"), open_agent(agent, "A"))
    return balance_of(state.books["A"], agent, AT)


def test_a_reference_that_comes_twice_is_found_where_all_the_xml_is_one_line():
    content = document(entry(), entry("7.00")).replace(b"\n", b"")
    found, faults = deposits(read_camt(content), agents())
    assert ([command.amount for _, command in found], faults) == (
        [100_050], [Fault(1, "reference B-1 stands on line 1 already", "B-1")],
    )  # fmt: skip


def test_each_detail_of_a_batch_is_a_deposit_of_its_own():
    batch = entry("30.00", details=detail("10.00", "D-1", "S") + detail("20.00", "D-2", "A"))
    found, faults = deposits(read_camt(document(batch)), agents())
    assert [(command.agent, command.amount, command.document) for _, command in found] == [
        ("S", 1_000, "D-1"),
        ("A", 2_000, "D-2"),
    ]
    assert (faults, [credit.line for credit, _ in found]) == ([], [4, 5])


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (entry("30.00", details=detail("10.00", "D-1", "S") + detail("20.01", "D-2", "A")), "do not add up to it"),
        (entry("30.00", details=detail("10.00", "D-1", "S") + detail("20.00", "D-2", "A", "USD")), "do not add up"),
        (entry("30.00", details="<Btch><NbOfTxs>3</NbOfTxs></Btch>" + detail("30.00", "D-1", "S")), "a batch of 3"),
        (entry("0.00"), "the amount is zero"),
        (entry("1.001"), "is not an amount in RUB"),
        (entry().replace("<Dt>2026-11-23</Dt>", ""), "is not a day"),
        (entry(text="rent", reference="B-2"), "names 0 agents"),
        (entry(), "reference B-1 stands on line 3 already"),
        (entry("30.00", details=detail("10.00", "", "S") + detail("20.00", "D-2", "A")), "must have 1 to 200"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_by_its_line(second: str, why: str):
    _, (fault,) = deposits(read_camt(document(entry(), second)), agents())
    assert fault.line in (4, 5)
    assert why in fault.why


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not sound XML"),
        (b"<Document>", "not sound XML"),
        (HEADER.encode(), "not sound XML"),
        (b"<Document/>", "the file is Document; what is read is"),
        (document(version="02"), r"camt\.053\.001\.02; what is read is .*camt\.053\.001\.08"),
        (document().replace(b"UTF-8", b"none-such"), "not sound XML: unknown encoding: none-such"),
        (document().replace(b"<Document", BOMB.encode() + b"<Document"), "not sound XML: DTDForbidden"),
    ],
)
def test_what_is_no_camt_053_is_refused(content: bytes, words: str):
    with pytest.raises(BadInput, match=words):
        read_camt(content)


def test_lines_of_entries_ascend():
    credits = read_camt(document(*(entry(reference=f"B-{number}") for number in range(5)))).credits
    assert all(later.line == earlier.line + 1 for earlier, later in pairwise(credits))
