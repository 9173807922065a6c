"""The stage `model`: weights and tokenizer of a model, fixed by a manifest.

A manifest holds what identifies the weights, never where they lie: a hub's commit, or the
hashes of the files in a folder. A moved cache changes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradcost.study.files import read_json, sha256_file, write_json

MANIFEST = "manifest.json"


def prepare(spec: dict[str, Any], corpora: dict[str, dict[str, Any]], folder: Path) -> None:
    """Make the weights available and write the manifest.

    Args:
        spec: `gradcost.study.runs.model_spec` of the model.
        corpora: data specs of the tasks whose text a pretrained model reads.
        folder: where the manifest goes, and the files of a model that is trained here.
    """
    if "pretraining" in spec:
        from gradcost.models import pretrain

        pretrain.pretrain(spec["pretraining"], corpora, folder)
        identity = _hashes(folder)
    elif "folder" in spec["source"]:
        identity = _hashes(Path(spec["source"]["folder"]))
    else:
        identity = {"commit": _download(spec["source"])}
    write_json(folder / MANIFEST, {"spec": spec, "corpora": corpora, "identity": identity})


def locate(folder: Path) -> dict[str, Any]:
    """Arguments for `from_pretrained` that load what the manifest in `folder` describes.

    Raises:
        ValueError: if a file is not the one that the manifest describes.
    """
    manifest = read_json(folder / MANIFEST)
    source = manifest["spec"].get("source", {"folder": str(folder)})
    if "folder" not in source:
        return {
            "pretrained_model_name_or_path": source["hub"],
            "revision": manifest["identity"]["commit"],
        }
    path = Path(source["folder"])
    found = _hashes(path)
    wrong = [name for name, sha in manifest["identity"].items() if found.get(name) != sha]
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)} in {path}: not as {folder / MANIFEST} describes; delete the "
            "manifest and start Snakemake again to make the model anew"
        )
    return {"pretrained_model_name_or_path": str(path)}


def tokenizer(folder: Path) -> Any:
    """The tokenizer of the model whose manifest lies in `folder`."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(**locate(folder))


def pad_token(folder: Path) -> int:
    """The token that fills up a row; a model without one of its own takes the end's."""
    made = tokenizer(folder)
    return int(made.eos_token_id if made.pad_token_id is None else made.pad_token_id)


def _hashes(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return {path.name: sha256_file(path) for path in files if path.name != MANIFEST}


def _download(source: dict[str, Any]) -> str:
    """Fetch a model into the hub's cache; return the commit that `revision` stands for."""
    from huggingface_hub import snapshot_download

    ignore = ["original/*", "*.pth", "*.gguf", "*.msgpack", "*.h5"]
    path = snapshot_download(source["hub"], revision=source["revision"], ignore_patterns=ignore)
    return Path(path).name
