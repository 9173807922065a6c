"""The ledger of claims, as tables of the report."""
