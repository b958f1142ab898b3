"""Registries: a payee's payments of one business day, as files its finance department takes."""
