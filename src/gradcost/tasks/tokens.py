"""The stage `tokens`: a task's texts as token ids of one model, padded to one length.

Every input has the task's length, as in the paper's accounting: each step then costs the
same, and what it costs does not depend on which texts it drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost.study.files import read_json, sha256_file, write_atomic, write_json
from gradcost.tasks.prepare import MANIFEST, SPLITS

FILE = "tokens.safetensors"


@dataclass(frozen=True)
class Split:
    """Inputs and answers: ids and mask (examples, length), labels (examples,)."""

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


def tokenise(data: Path, tokenizer: Any, spec: dict[str, Any], folder: Path) -> None:
    """Write the token ids of all splits, and a manifest with their hash.

    Texts are cut at the end to leave room for the model's suffix token, if it has one,
    and padded on the right.

    Args:
        data: the folder that `prepare` wrote.
        tokenizer: a Hugging Face tokenizer of the model.
        spec: `gradcost.study.runs.token_spec`.
        folder: where the files go. The manifest is written last.
    """
    import pyarrow.parquet as pq
    from safetensors.torch import save_file

    manifest = read_json(data / MANIFEST)
    suffix = [tokenizer.convert_tokens_to_ids(spec["suffix"])] if spec["suffix"] else []
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    tensors = {}
    for name in SPLITS:
        path = data / f"{name}.parquet"
        if not path.exists() or sha256_file(path) != manifest["splits"][name]["sha256"]:
            raise ValueError(
                f"{path} is not the file that {MANIFEST} beside it describes; delete "
                f"{data / MANIFEST} and start Snakemake again to make both anew"
            )
        table = pq.read_table(path)
        room = spec["length"] - len(suffix)
        encoded = tokenizer(table["text"].to_pylist(), truncation=True, max_length=room)
        rows = [ids + suffix for ids in encoded["input_ids"]]
        ids = torch.full((len(rows), spec["length"]), pad, dtype=torch.int32)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = True
        tensors[f"{name}.ids"], tensors[f"{name}.mask"] = ids, mask
        tensors[f"{name}.labels"] = torch.tensor(table["label"].to_pylist(), dtype=torch.int32)
    write_atomic(folder / FILE, lambda path: save_file(tensors, path))
    description = {
        "spec": spec,
        "labels": manifest["labels"],
        "data": sha256_file(data / MANIFEST),
        "sha256": sha256_file(folder / FILE),
    }
    write_json(folder / MANIFEST, description)


def load(folder: Path) -> tuple[dict[str, Split], int]:
    """The splits, and the number of classes.

    Raises:
        ValueError: if the tokens are not those that the manifest describes.
    """
    from safetensors.torch import load_file

    manifest = read_json(folder / MANIFEST)
    if not (folder / FILE).exists() or sha256_file(folder / FILE) != manifest["sha256"]:
        raise ValueError(
            f"{folder / FILE} is not the file that {MANIFEST} beside it describes; delete "
            f"{folder / MANIFEST} and start Snakemake again to make both anew"
        )
    tensors = load_file(folder / FILE)
    splits = {
        name: Split(
            tensors[f"{name}.ids"].long(), tensors[f"{name}.mask"], tensors[f"{name}.labels"].long()
        )
        for name in SPLITS
    }
    return splits, len(manifest["labels"])
