"""The paper's own numbers, transcribed from its Tables 3, 4, 9 and 12 and Sections 4.4 and 4.5.

Accuracies and their variation are in percent, computation in TFLOP. Rows are called as in
the configuration (`bp-vanilla`, `zo-multiple`, ...), columns as its datasets (`agnews`, ...).
Table 3 has one row for BP-Vanilla and BP-Checkpointing; here each has its own. Of Table 12
there are SignZO's accuracy and the memory in GB, which no other table has; what the sections
and the caption of Figure 3 say of memory and computation is under the section's number.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

DATASETS = {
    "agnews": "AGNews",
    "boolq": "BoolQ",
    "multirc": "MultiRC",
    "gsm8k": "GSM8K",
    "mmlu": "MMLU",
    "vqav2": "VQAv2",
    "textvqa": "TextVQA",
}


@cache
def table() -> pd.DataFrame:
    """All transcribed numbers: `table, row, column, value, unit, source`; a dash is NaN."""
    return pd.read_csv(Path(__file__).with_name("paper.csv"), dtype={"table": "str"})


def number(table_number: str, row: str, column: str) -> float | None:
    """One number of the paper, or None where it has none."""
    numbers = table()
    found = numbers[
        (numbers["table"] == table_number) & (numbers["row"] == row) & (numbers["column"] == column)
    ]["value"].dropna()
    return None if found.empty else float(found.iloc[0])


def accuracy(method: str, dataset: str) -> float | None:
    """Test accuracy in percent (Table 3; SignZO's is in Table 12)."""
    found = number("3", method, dataset)
    return number("12", method, dataset) if found is None else found


def variation(method: str, dataset: str) -> float | None:
    """What Table 9 gives as the variance of that accuracy over seeds, in points."""
    return number("9", method, dataset)


def memory(method: str) -> float | None:
    """Peak memory in GB on LLaMA 3.1 (8B) and AGNews (Table 12)."""
    return number("12", method, "memory")


def model(dataset: str) -> str:
    """The model that the paper finetunes on a dataset."""
    return "Qwen 2 VL (7B)" if dataset in ("vqav2", "textvqa") else "LLaMA 3.1 (8B)"
