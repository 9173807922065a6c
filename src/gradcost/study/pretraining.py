"""Which module pretrains a small model: imported by name, so that no other depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def trainer(pretraining: Mapping[str, Any]) -> str:
    """The full name of the module.

    Args:
        pretraining: fields of `gradcost.study.config.Pretraining`.
    """
    if pretraining.get("vision"):
        return "gradcost.models.pretrain_vision"
    encoder = pretraining["architecture"] in ("bert", "roberta")
    return f"gradcost.models.{'pretrain_encoder' if encoder else 'pretrain'}"
