"""The ledger: each claim of the paper as a predicate over results, and a verdict on it.

`rules` says once how verdicts are reached, `measures`, `counts` and `proofs` what is measured,
and the modules named after their subject list the claims. `judge` puts all of it to the test.
"""
