"""The stage `tokens`: a task's texts as token ids of one model, padded to one length.

Every input has the task's length, as in the paper's accounting: each step then costs the
same, and what it costs does not depend on which texts it drew.

Where the answer is a class, texts are cut at the end and padded on the right. Where it is
text, prompt and answer stand at the end of the row and padding on the left, so that a batch's
answers lie in the last positions and a batch of prompts can be continued; a prompt that is
too long loses its beginning. Where the prompt is about an image, it begins with as many
placeholder tokens as the image makes, on top of the task's length, and what a prompt that is
too long loses comes after them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost.study.files import read_json, sha256_file, write_atomic, write_json
from gradcost.tasks import images
from gradcost.tasks.prepare import MANIFEST, SPLITS

FILE, REFERENCES = "tokens.safetensors", "references.json"
EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class Split:
    """Inputs and answers: ids and mask (examples, length), labels (examples,).

    A label is a class or, where the answer is text, the number of the answer's tokens: the
    last of the row. Where prompts are about images, those have their numbers (examples,).
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    images: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> Split:
        return self._each(lambda part: part[index])

    def inputs(self) -> dict[str, Tensor]:
        """What a model of text is given."""
        return {"input_ids": self.ids, "attention_mask": self.mask}

    def followed_by(self, prompt: Sequence[int], pad: int) -> Split:
        """The rows with a prompt after each text, which is cut at its end if there is no room.

        How many are cut is printed: it is no part of the tokens, which all methods share.

        Args:
            prompt: token ids.
            pad: the token that fills up a row; texts are padded on the right.

        Raises:
            ValueError: if the prompt is longer than a row.
        """
        length, size = self.ids.shape[1], len(prompt)
        if size > length:
            raise ValueError(f"a prompt of {size} tokens does not fit into rows of {length}")
        whole = self.mask.sum(1, keepdim=True)
        kept = whole.clamp(max=length - size)
        if cut := int((kept < whole).sum()):
            print(f"{cut} of {len(self)} texts are cut to make room for the prompt", flush=True)
        past = torch.arange(length, device=self.ids.device) - kept
        table = torch.tensor([*prompt, pad], dtype=self.ids.dtype, device=self.ids.device)
        ids = torch.where(past < 0, self.ids, table[past.clamp(0, size)])
        return Split(ids, past < size, self.labels)

    def to(self, device: str) -> Split:
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Split:
        parts = {name: part for name, part in vars(self).items() if part is not None}
        return Split(**{name: change(part) for name, part in parts.items()})


@dataclass(frozen=True)
class Answers:
    """How answers that are text are trained and scored.

    Attributes:
        scorer: of `gradcost.tasks.scorers`.
        length: tokens of the longest answer, with the token that ends it.
        new_tokens: tokens that may be generated at the most.
        references: for each split that is evaluated, what each answer is compared with.
    """

    scorer: str
    length: int
    new_tokens: int
    references: dict[str, list[list[str]]]


@dataclass(frozen=True)
class Tokens:
    """A task's tokens: `classes` is 0 and `answers` is there where the answer is text.

    Where prompts are about images, `images` is the file that has them.
    """

    splits: dict[str, Split]
    classes: int
    answers: Answers | None = None
    images: Path | None = None


@dataclass(frozen=True)
class Placeholder:
    """What stands for an image in a row: `count` times the token `token`."""

    token: int
    count: int


def tokenise(
    data: Path,
    tokenizer: Any,
    spec: dict[str, Any],
    folder: Path,
    placeholder: Placeholder | None = None,
) -> None:
    """Write the token ids of all splits, and a manifest with their hash.

    The manifest counts the examples that were cut.

    Args:
        data: the folder that `prepare` wrote.
        tokenizer: a Hugging Face tokenizer of the model.
        spec: `gradcost.study.runs.token_spec`.
        folder: where the files go. The manifest is written last.
        placeholder: for a task about images, what the model takes for one.
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
    rows = Rows(tokenizer, spec, placeholder)
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
        if tensor is not None
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
        references = {name: tables[name]["references"] for name in EVALUATED}
        write_json(folder / REFERENCES, references)
        description |= {
            "scorer": manifest["scorer"],
            "new_tokens": manifest["new_tokens"],
            "answer": max(int(split.labels.max()) for split in splits.values()),
            "references": sha256_file(folder / REFERENCES),
        }
        if manifest["images"]:
            description["images"] = manifest["images"]["bytes"]
            _share(data / images.FILE, folder / images.FILE)
    print("cut to the task's length: " + ", ".join(f"{n} of {name}" for name, n in cut.items()))
    write_json(folder / MANIFEST, description)


def _share(path: Path, other: Path) -> None:
    """Let a file be at another place too, without a copy where the file system can."""
    other.parent.mkdir(parents=True, exist_ok=True)
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


class Rows:
    """Rows of one length; `cut` counts those that were longer."""

    def __init__(
        self, tokenizer: Any, spec: dict[str, Any], placeholder: Placeholder | None
    ) -> None:
        self.tokenizer, self.length = tokenizer, spec["length"]
        self.placeholder = placeholder
        if placeholder is not None:
            self.length += placeholder.count
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
        pair = self._text_pair if self.placeholder is None else self._image_pair
        for index, (prompt, answer) in enumerate(pairs):
            start, before, after = pair(prompt, answer)
            room = self.length - len(start) - len(after)
            if room < 1:
                raise ValueError(
                    f"the answer {answer[:60]!r} has {len(after)} tokens, which leaves no room "
                    f"for its prompt in {self.length}"
                )
            if len(before) > room:
                self.cut += 1
                before = before[-room:]
            whole = start + before + after
            ids[index, -len(whole) :] = torch.tensor(whole)
            mask[index, -len(whole) :] = True
            labels[index] = len(after)
        numbers = torch.tensor(table["image"]) if "image" in table else None
        return Split(ids, mask, labels, numbers)

    def _image_pair(self, prompt: str, answer: str) -> tuple[list[int], list[int], list[int]]:
        """The tokens up to the image's last, of the rest of the prompt, and of the answer.

        The model's chat template says where the image stands.
        """
        assert self.placeholder is not None
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        token, count = self.placeholder.token, self.placeholder.count
        if ids.count(token) != 1:
            raise ValueError(
                f"the chat template of the model has its image token {ids.count(token)} times, "
                "not once"
            )
        place = ids.index(token)
        after = list(self.tokenizer(answer, add_special_tokens=False)["input_ids"])
        return ids[:place] + [token] * count, ids[place + 1 :], after + self.end

    def _text_pair(self, prompt: str, answer: str) -> tuple[list[int], list[int], list[int]]:
        """What a tokenizer puts before every text, the prompt, and the answer with its end."""
        before, after = self._continued(prompt, answer)
        # which stays where the prompt is cut
        size = int(bool(before) and before[0] == self.tokenizer.bos_token_id)
        return before[:size], before[size:], after

    def _continued(self, prompt: str, answer: str) -> tuple[list[int], list[int]]:
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
    right = {
        name: (folder / name).exists() and sha256_file(folder / name) == sha256
        for name, sha256 in files.items()
    }
    pictures = folder / images.FILE if "images" in manifest else None
    if pictures is not None:
        # of its size alone: to read all of it would take longer than to load the model
        right[images.FILE] = pictures.exists() and pictures.stat().st_size == manifest["images"]
    if wrong := [name for name, is_right in right.items() if not is_right]:
        raise ValueError(
            f"{folder / wrong[0]} is not the file that {MANIFEST} beside it describes; delete "
            f"{folder / MANIFEST} and start Snakemake again to make both anew"
        )
    tensors = load_file(folder / FILE)
    splits = {}
    for name in SPLITS:
        parts = {
            part: tensors.get(f"{name}.{part}") for part in ("ids", "mask", "labels", "images")
        }
        whole = {
            part: found if found is None or part == "mask" else found.long()
            for part, found in parts.items()
        }
        splits[name] = Split(**whole)
    if "labels" in manifest:
        return Tokens(splits, len(manifest["labels"]))
    references = read_json(folder / REFERENCES)
    answers = Answers(manifest["scorer"], manifest["answer"], manifest["new_tokens"], references)
    return Tokens(splits, 0, answers, pictures)
