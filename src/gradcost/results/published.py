"""Published records: those of a whole study in one small file, from which its report is made anew.

The file is a zip archive of

- `records.jsonl`: a line for each run, `{"path": its folder below the results, "record": ...}`;
- `histories.parquet`: all histories, with the number of that line in the column `run`;
- other files of the results that no rule makes from the records: prices and theory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradcost.study import record
from gradcost.study.files import write_atomic

RECORDS, HISTORIES = "records.jsonl", "histories.parquet"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's; the same content gives the same bytes


class BadPack(ValueError):
    """A file that is not one of published records."""


def pack(results: Path, runs: Iterable[str], others: Iterable[str], out: Path) -> list[str]:
    """Write the records of `runs` that there are, and the files `others`, into `out`.

    Args:
        results: the folder of a scale's results.
        runs: folders of records below it.
        others: files below it that are to be in the pack; all must exist.

    Returns:
        The runs that have no record.

    Raises:
        gradcost.study.record.BadRecord: for a record that is there and not valid.
    """
    lines: list[str] = []
    histories: list[pa.Table] = []
    missing: list[str] = []
    for run in runs:
        if not (results / run / record.RECORD).exists():
            missing.append(run)
            continue
        one, history = record.read(results / run)
        number = pa.array([len(lines)] * history.num_rows, pa.int32())
        histories.append(history.add_column(0, pa.field("run", pa.int32(), False), number))
        lines.append(json.dumps({"path": run, "record": one.model_dump()}, sort_keys=True))
    contents = {RECORDS: "\n".join(lines).encode() + b"\n", HISTORIES: _parquet(histories)}
    contents |= {name: (results / name).read_bytes() for name in others}

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                how = zipfile.ZIP_STORED if name == HISTORIES else zipfile.ZIP_LZMA
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, how)

    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, write)
    return missing


def unpack(source: Path, results: Path) -> int:
    """Write the records and other files of a pack where the workflow looks for them.

    Returns:
        How many records there were.

    Raises:
        BadPack: naming the file and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            lines = archive.read(RECORDS).decode().splitlines()
            histories = pq.read_table(io.BytesIO(archive.read(HISTORIES)))
            others = [name for name in archive.namelist() if name not in (RECORDS, HISTORIES)]
            for name in others:
                (results / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomic(results / name, _writing(archive.read(name)))
        for line, history in zip(
            map(json.loads, lines), _split(histories, len(lines)), strict=True
        ):
            one = record.Record.model_validate(line["record"])
            record.write(results / line["path"], one, history)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadPack(f"{source} is not a file of published records: {error}") from error
    return len(lines)


def _writing(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _parquet(histories: list[pa.Table]) -> bytes:
    """All histories as one file; the bytes of floats apart, where what repeats in them is."""
    buffer = io.BytesIO()
    empty = record.history_table({name: [] for name in record.HISTORY})
    empty = empty.add_column(0, pa.field("run", pa.int32(), False), pa.array([], pa.int32()))
    table = pa.concat_tables([empty, *histories])
    pq.write_table(
        table, buffer, compression="zstd", compression_level=19, use_dictionary=False,
        use_byte_stream_split=True,
    )  # fmt: skip
    return buffer.getvalue()


def _split(histories: pa.Table, count: int) -> Iterator[pa.Table]:
    """The history of each run, in their order; one without a row has none."""
    numbers: Any = histories.column("run").to_numpy()
    expected = record.history_table({name: [] for name in record.HISTORY}).schema
    rows = histories.drop_columns(["run"]).cast(expected)
    start = 0
    for run in range(count):
        length = int((numbers == run).sum())
        yield rows.slice(start, length).combine_chunks()
        start += length
