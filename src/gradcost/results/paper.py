"""The paper's own numbers: every cell of its Tables 1 to 12, and what its text states.

`paper.csv` holds the tables, `paper_text.csv` the abstract, sections, appendices and captions.
Both have one line a number, with these columns:

- `table`: the number of the table, or of the section or appendix (`4.4`, `F.7`; one whose number
  a table also has is `abstract`, `introduction` or `background`). Sections 3 and 5, Appendices D,
  E, F.6 and G and Figures 1, 4 to 6, 8, 10 to 12, 14 and 15 state no number beyond those.
- `row`, `column`: called as in the configuration (`bp-vanilla`, `agnews`, `opt-13b`), else by
  what they are (`batch-size`; `fmad`, `zo` and `bp` for a family, `multiple`, `svrg` for a
  variance reduction of either family, `study` for all). The three are the key. A range has two
  lines, whose columns end in `-least` and `-most`.
- `value`, `unit`: a number, or NaN where the cell is a bound, the name of an optimiser, a dash,
  `jvp = NaN` or out of memory. A tick is 1, a cross 0. The unit is the one that the paper gives,
  right or wrong (see `inconsistencies`), but for differences of accuracies and deviations of
  Table 9: they are in points, where `printed` has the paper's per cent or none. Those of other
  studies in Table 1 may be relative, and stay per cent.
- `printed`: the cell or the number as it stands in the paper, in LaTeX where that is needed.
- `row_label`, `column_label`: what the paper calls the row and the column.
- `source`, and `note`: what the text says the number is, in words of this study.

How the tables are read:

- Table 1: the number that a contribution states is in a column of its own, `contribution-...`,
  and `contribution` itself has it in words of this study, under `note`.
- Table 2: a bound that stands once for two rows is given to both.
- Table 3: the row of BP-Vanilla and BP-Checkpointing is given to both. A subscript, the gap to
  that row, is in column `agnews-gap`, beside the accuracy in `agnews`.
- Tables 5 to 8: a row is a hyperparameter, a column a dataset.
- Tables 10 and 11: a row is a method, a column a size or rank; labels are those of the cells
  that name them.
- Table 12: its ZO is `zo-vanilla`.
"""

from __future__ import annotations

from dataclasses import dataclass
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
_FILES = ("paper.csv", "paper_text.csv")
_KEY = ["table", "row", "column"]
_TEXT = [*_KEY, "unit", "printed", "row_label", "column_label", "source", "note"]


@dataclass(frozen=True)
class Inconsistency:
    """Two statements of the paper that do not agree, in words of this study."""

    name: str
    where: str
    says: str
    but: str
    source: str  # of what stands against it


@cache
def table() -> pd.DataFrame:
    """All transcribed numbers, as the module describes them; text that is not there is ''."""
    files = [
        pd.read_csv(_file(name), dtype=dict.fromkeys(_TEXT, "str"), encoding="utf-8")
        for name in _FILES
    ]
    numbers = pd.concat(files, ignore_index=True)
    return numbers.fillna(dict.fromkeys(_TEXT, ""))


@cache
def inconsistencies() -> tuple[Inconsistency, ...]:
    """Where the paper does not agree with itself, in the order of its claims."""
    found = pd.read_csv(_file("paper_inconsistencies.csv"), dtype="str", encoding="utf-8")
    return tuple(Inconsistency(*map(str, line)) for line in found.itertuples(index=False))


def number(table_number: str, row: str, column: str) -> float | None:
    """One number of the paper, or None where it has none."""
    value = _values().get((table_number, row, column))
    return None if value is None or pd.isna(value) else value


def accuracy(method: str, dataset: str) -> float | None:
    """Test accuracy in percent (Table 3; SignZO's is in Table 12)."""
    found = number("3", method, dataset)
    return number("12", method, "accuracy") if found is None and dataset == "agnews" else found


def variation(method: str, dataset: str) -> float | None:
    """What Table 9 gives as the variance of that accuracy over seeds, in points."""
    return number("9", method, dataset)


def memory(method: str) -> float | None:
    """Peak memory in GB on LLaMA 3.1 (8B) and AGNews (Table 12)."""
    return number("12", method, "memory")


def model(dataset: str) -> str:
    """The model that the paper finetunes on a dataset."""
    return "Qwen 2 VL (7B)" if dataset in ("vqav2", "textvqa") else "LLaMA 3.1 (8B)"


@cache
def _values() -> dict[tuple[str, str, str], float]:
    numbers = table()
    keys = numbers[_KEY].itertuples(index=False, name=None)
    return dict(zip(keys, numbers["value"].astype(float), strict=True))


def _file(name: str) -> Path:
    return Path(__file__).with_name(name)
