"""A partner's gateway as input: other systems pay through Kassa over HTTP, speaking OSMP as if to a payee."""
