"""What happened and what follows: the topics, the pure ledger core and its fenced writer."""
