"""The shapes of models: those of the paper, shipped as data, and any other by its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcost.study.files import read_json
from gradcost.study.nearest import nearest

_FOLDER = Path(__file__).parent

# What says a model's size, by `model_type`: transformers fills up what is missing by defaults,
# and the answer would be that of another model.
_DECODER = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_REQUIRED = {
    "llama": (*_DECODER, "intermediate_size"),
    "mistral": (*_DECODER, "intermediate_size"),
    "qwen2": (*_DECODER, "intermediate_size"),
    "opt": (*_DECODER, "ffn_dim"),
    "bert": (*_DECODER, "intermediate_size"),
    "roberta": (*_DECODER, "intermediate_size"),
    "qwen2_vl": ("text_config", "vision_config"),
    "qwen2_vl.text_config": (*_DECODER, "intermediate_size"),
    "qwen2_vl.vision_config": ("depth", "embed_dim", "num_heads", "patch_size"),
}
# What transformers calls the linears that queries and values come from.
_TARGETS = {
    "bert": ("query", "value"),
    "roberta": ("query", "value"),
    "gpt2": ("c_attn",),
}


class UnknownArchitecture(ValueError):
    """There is no such architecture, or its config says too little."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a model.

    Attributes:
        name: as it was asked for.
        label: its name in tables.
        config: a Hugging Face config as a mapping.
    """

    name: str
    label: str
    config: dict[str, Any]

    @property
    def targets(self) -> list[str]:
        """The linears of queries and values, on which adapters are by default."""
        return list(_TARGETS.get(self.config["model_type"], ("q_proj", "v_proj")))

    @property
    def has_classifier(self) -> bool:
        """Whether transformers has the model with a head of classes."""
        return bool(self.config["model_type"] != "qwen2_vl")

    @property
    def writes(self) -> bool:
        """Whether it is a language model that continues a text."""
        return self.config["model_type"] not in ("bert", "roberta")

    @property
    def sees(self) -> bool:
        """Whether it takes images."""
        return "vision_config" in self.config

    @property
    def text(self) -> Mapping[str, Any]:
        """The config of the text tower, which is the model itself where there is one alone."""
        found: Mapping[str, Any] = self.config.get("text_config", self.config)
        return found

    @property
    def depth(self) -> int:
        """The number of layers of the text tower."""
        return int(self.text["num_hidden_layers"])

    def with_depth(self, layers: int) -> Architecture:
        """The same with another number of layers of its text tower."""
        text = {**self.text, "num_hidden_layers": layers}
        whole = {**self.config, "text_config": text} if "text_config" in self.config else text
        return Architecture(f"{self.name}, {layers} layers", self.label, whole)

    def longest(self) -> int | None:
        """The most positions that an input can have, if the config says so."""
        found = self.text.get("max_position_embeddings")
        # the first two of RoBERTa's are not for tokens
        return None if found is None else found - 2 * (self.config["model_type"] == "roberta")


def names() -> list[str]:
    """The architectures that ship with the project."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def load(name: str) -> Architecture:
    """An architecture by name: one of `names()`, a `config.json`, or a repository of the hub.

    Raises:
        UnknownArchitecture: if there is none of that name, or its config lacks a size.
    """
    if name in names():
        found = read_json(_FOLDER / f"{name}.json")
        return Architecture(name, found["label"], found["config"])
    path = Path(name) / "config.json" if Path(name).is_dir() else Path(name)
    if path.suffix == ".json":
        try:
            config = read_json(path)
        except (OSError, ValueError) as error:
            where = "" if str(path) in str(error) else f"{path}: "
            raise UnknownArchitecture(f"{where}{error}") from None
        return Architecture(name, path.parent.name or name, _checked(config, str(path)))
    if "/" not in name:
        raise UnknownArchitecture(
            f"no architecture {name!r}; {nearest(name, names())}Known: {', '.join(names())}; "
            "or give the path of a config.json, or the name of a repository on the Hugging Face hub"
        )
    return Architecture(name, name.rpartition("/")[2], _checked(_of_hub(name), name))


def of_repository(name: str) -> Architecture:
    """The architecture of a repository of the hub: shipped, or else fetched.

    Raises:
        UnknownArchitecture: if it is not shipped and cannot be fetched.
    """
    return load(shipped(name) or name)


def shipped(repository: str) -> str | None:
    """The architecture of `names()` that is a repository's of the hub, if there is one."""
    for name in names():
        source = str(read_json(_FOLDER / f"{name}.json")["source"])
        if source.removeprefix("https://huggingface.co/").partition("/blob/")[0] == repository:
            return name
    return None


def _of_hub(name: str) -> dict[str, Any]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return dict(read_json(Path(hf_hub_download(name, "config.json"))))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UnknownArchitecture(f"the config of {name} could not be had: {reason}") from None


def _checked(config: Any, where: str) -> dict[str, Any]:
    if not isinstance(config, dict) or "model_type" not in config:
        raise UnknownArchitecture(f"{where}: the field model_type is missing")
    kind = config["model_type"]
    if not isinstance(kind, str):
        raise UnknownArchitecture(f"{where}: model_type = {kind!r}: must be a name")
    for field in _REQUIRED.get(kind, _DECODER):
        tower = _REQUIRED.get(f"{kind}.{field}")
        if tower is None:
            _check_size(config, field, f"{where}: ", kind)
        elif not isinstance(config.get(field), dict):
            raise UnknownArchitecture(f"{where}: the field {field} is missing ({kind} needs it)")
        else:
            for inner in tower:
                _check_size(config[field], inner, f"{where}: ", kind, f"{field}.")
    text = config.get("text_config", config)
    if text.get("max_position_embeddings") is not None:
        _check_size(text, "max_position_embeddings", f"{where}: ", kind)
    return config


def _check_size(
    fields: Mapping[str, Any], name: str, where: str, kind: str, prefix: str = ""
) -> None:
    if name not in fields:
        raise UnknownArchitecture(f"{where}the field {prefix}{name} is missing ({kind} needs it)")
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise UnknownArchitecture(
            f"{where}{prefix}{name} = {value!r}: must be a whole number above 0"
        )
