"""Tasks: one module per dataset, and what turns a dataset into tokens.

A dataset's module has `LABELS`, the names of its classes; `pools(source)`, its examples
as `{split: [(text, class), ...]}` with the splits `train`, `test` and, where the dataset
has one, `validation`; and, where a language model may be trained on it, `corpus(source)`,
pairs of a training text and words that describe it.
"""
