"""A closed window as a bank's postings: debit, credit, amount."""
