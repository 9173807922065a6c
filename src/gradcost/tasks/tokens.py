"""The stage `tokens`: a task's texts as token ids of one model, padded to one length.

Every input has the task's length, as in the paper's accounting: each step then costs the
same, and what it costs does not depend on which texts it drew.

Where the answer is a class, texts are cut at the end and padded on the right. Where it is
text, prompt and answer stand at the end of the row and padding on the left, so that a batch's
answers lie in the last positions and a batch of prompts can be continued; a prompt that is
too long loses its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost.study.files import read_json, sha256_file, write_atomic, write_json
from gradcost.tasks.prepare import MANIFEST, SPLITS

FILE, REFERENCES = "tokens.safetensors", "references.json"


@dataclass(frozen=True)
class Split:
    """Inputs and answers: ids and mask (examples, length), labels (examples,).

    A label is a class or, where the answer is text, the number of the answer's tokens: the
    last of the row.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> Split:
        return Split(self.ids[index], self.mask[index], self.labels[index])

    def followed_by(self, prompt: Sequence[int], pad: int) -> Split:
        """The rows with a prompt after each text, which is cut at its end if there is no room.

        Args:
            prompt: token ids.
            pad: the token that fills up a row; texts are padded on the right.

        Raises:
            ValueError: if the prompt is longer than a row.
        """
        length, size = self.ids.shape[1], len(prompt)
        if size > length:
            raise ValueError(f"a prompt of {size} tokens does not fit into rows of {length}")
        kept = self.mask.sum(1, keepdim=True).clamp(max=length - size)
        past = torch.arange(length, device=self.ids.device) - kept
        table = torch.tensor([*prompt, pad], dtype=self.ids.dtype, device=self.ids.device)
        ids = torch.where(past < 0, self.ids, table[past.clamp(0, size)])
        return Split(ids, past < size, self.labels)

    def to(self, device: str) -> Split:
        return Split(self.ids.to(device), self.mask.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Answers:
    """How answers that are text are trained and scored.

    Attributes:
        scorer: of `gradcost.tasks.scorers`.
        length: tokens of the longest answer, with the token that ends it.
        new_tokens: tokens that may be generated at the most.
        references: for each split, what each example's answer is compared with.
    """

    scorer: str
    length: int
    new_tokens: int
    references: dict[str, list[list[str]]]


@dataclass(frozen=True)
class Tokens:
    """A task's tokens: `classes` is 0 and `answers` is there where the answer is text."""

    splits: dict[str, Split]
    classes: int
    answers: Answers | None = None


def tokenise(data: Path, tokenizer: Any, spec: dict[str, Any], folder: Path) -> None:
    """Write the token ids of all splits, and a manifest with their hash.

    The manifest counts the examples that were cut.

    Args:
        data: the folder that `prepare` wrote.
        tokenizer: a Hugging Face tokenizer of the model.
        spec: `gradcost.study.runs.token_spec`.
        folder: where the files go. The manifest is written last.
    """
    import pyarrow.parquet as pq
    from safetensors.torch import save_file

    manifest = read_json(data / MANIFEST)
    tables = {}
    for name in SPLITS:
        path = data / f"{name}.parquet"
        if not path.exists() or sha256_file(path) != manifest["splits"][name]["sha256"]:
            raise ValueError(
                f"{path} is not the file that {MANIFEST} beside it describes; delete "
                f"{data / MANIFEST} and start Snakemake again to make both anew"
            )
        tables[name] = pq.read_table(path).to_pydict()
    rows = _Rows(tokenizer, spec)
    encode: Callable[[dict[str, list[Any]]], Split]
    encode = rows.classified if "labels" in manifest else rows.answered
    splits, cut = {}, {}
    for name, table in tables.items():
        before = rows.cut
        splits[name] = encode(table)
        cut[name] = rows.cut - before
    tensors = {
        f"{name}.{part}": tensor.to(torch.bool if part == "mask" else torch.int32)
        for name, split in splits.items()
        for part, tensor in vars(split).items()
    }
    write_atomic(folder / FILE, lambda path: save_file(tensors, path))
    description: dict[str, Any] = {
        "spec": spec,
        "data": sha256_file(data / MANIFEST),
        "sha256": sha256_file(folder / FILE),
        "cut": cut,
    }
    if "labels" in manifest:
        description["labels"] = manifest["labels"]
    else:
        references = {name: table["references"] for name, table in tables.items()}
        write_json(folder / REFERENCES, references)
        description |= {
            "scorer": manifest["scorer"],
            "new_tokens": manifest["new_tokens"],
            "answer": max(int(split.labels.max()) for split in splits.values()),
            "references": sha256_file(folder / REFERENCES),
        }
    print("cut to the task's length: " + ", ".join(f"{n} of {name}" for name, n in cut.items()))
    write_json(folder / MANIFEST, description)


class _Rows:
    """Rows of one length; `cut` counts those that were longer."""

    def __init__(self, tokenizer: Any, spec: dict[str, Any]) -> None:
        self.tokenizer, self.length = tokenizer, spec["length"]
        end = tokenizer.eos_token_id
        self.pad = end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        suffix = spec["suffix"]
        self.suffix = [tokenizer.convert_tokens_to_ids(suffix)] if suffix else []
        self.end = [] if end is None else [end]
        self.cut = 0

    def classified(self, table: dict[str, list[Any]]) -> Split:
        """Texts and classes: cut at the end, to leave room for the model's suffix token."""
        room = self.length - len(self.suffix)
        ids, mask = self._empty(len(table["text"]))
        for index, row in enumerate(self.tokenizer(table["text"])["input_ids"]):
            if len(row) > room:
                self.cut += 1
                # by the tokenizer, which keeps what it puts at the end of every text
                text = table["text"][index]
                row = self.tokenizer(text, truncation=True, max_length=room)["input_ids"]
            whole = row + self.suffix
            ids[index, : len(whole)] = torch.tensor(whole)
            mask[index, : len(whole)] = True
        return Split(ids, mask, torch.tensor(table["label"]))

    def answered(self, table: dict[str, list[Any]]) -> Split:
        """Prompts and answers: at the end of the row; a long prompt loses its beginning."""
        ids, mask = self._empty(len(table["prompt"]))
        labels = torch.zeros(len(ids), dtype=torch.long)
        pairs = zip(table["prompt"], table["answer"], strict=True)
        for index, (prompt, answer) in enumerate(pairs):
            before, after = self._pair(prompt, answer)
            room = self.length - len(after)
            if room < 1:
                raise ValueError(
                    f"the answer {answer[:60]!r} has {len(after)} tokens, which leaves no room "
                    f"for its prompt in {self.length}"
                )
            if len(before) > room:
                self.cut += 1
                # what a tokenizer puts before every text stays there
                start = before[:1] if before[0] == self.tokenizer.bos_token_id else []
                before = start + before[len(before) - room + len(start) :]
            whole = before + after
            ids[index, -len(whole) :] = torch.tensor(whole)
            mask[index, -len(whole) :] = True
            labels[index] = len(after)
        return Split(ids, mask, labels)

    def _pair(self, prompt: str, answer: str) -> tuple[list[int], list[int]]:
        """The tokens of a prompt, and of a space, the answer and the end."""
        before = list(self.tokenizer(prompt)["input_ids"])
        whole = list(self.tokenizer(f"{prompt} {answer}")["input_ids"])
        if whole[: len(before)] == before and len(whole) > len(before):
            return before, whole[len(before) :] + self.end
        # the last token of the prompt would be another with the answer after it
        after = list(self.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"])
        return before, after + self.end

    def _empty(self, count: int) -> tuple[Tensor, Tensor]:
        ids = torch.full((count, self.length), self.pad)
        return ids, torch.zeros_like(ids, dtype=torch.bool)


def load(folder: Path) -> Tokens:
    """What `tokenise` wrote.

    Raises:
        ValueError: if the files are not those that the manifest describes.
    """
    from safetensors.torch import load_file

    manifest = read_json(folder / MANIFEST)
    files = {FILE: manifest["sha256"]}
    if "scorer" in manifest:
        files[REFERENCES] = manifest["references"]
    for name, sha256 in files.items():
        if not (folder / name).exists() or sha256_file(folder / name) != sha256:
            raise ValueError(
                f"{folder / name} is not the file that {MANIFEST} beside it describes; delete "
                f"{folder / MANIFEST} and start Snakemake again to make both anew"
            )
    tensors = load_file(folder / FILE)
    splits = {
        name: Split(
            tensors[f"{name}.ids"].long(), tensors[f"{name}.mask"], tensors[f"{name}.labels"].long()
        )
        for name in SPLITS
    }
    if "labels" in manifest:
        return Tokens(splits, len(manifest["labels"]))
    references = read_json(folder / REFERENCES)
    answers = Answers(manifest["scorer"], manifest["answer"], manifest["new_tokens"], references)
    return Tokens(splits, 0, answers)
