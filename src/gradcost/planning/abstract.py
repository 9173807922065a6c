"""Models without numbers: every tensor has a shape, a type and a size in bytes, and no memory.

A model is made on PyTorch's `meta` device and set up by the same code as one with numbers.
What runs on it runs the same operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._device import DeviceContext

from gradcost.models.build import DENSE, Ready, finish, hush
from gradcost.models.sparse import Selection

# bitsandbytes: numbers that share a scale, and scales that share one of their own
_BLOCK, _NESTED_BLOCK = 64, 256


class _WithoutNumbers(DeviceContext):
    """Rows are padded: the answer to models that ask whether all of a mask is true is no."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        asks = func is Tensor.__bool__ or func is Tensor.item
        if asks and args[0].dtype is torch.bool and args[0].device.type == "meta":
            return False
        return super().__torch_function__(func, types, args, kwargs)


def without_numbers() -> _WithoutNumbers:
    """A context in which tensors are made without numbers."""
    return _WithoutNumbers(torch.device("meta"))


class EvenSelection(Selection):
    """The largest weights, if they were as many in every linear as its size says."""

    def _select(self, above: Tensor, lowest: float) -> Tensor:
        count, total = len(self.values), self._starts[-1]
        self._bounds = [count * start // total for start in self._starts]
        self.base = self.values.detach().clone()
        self.positions = torch.empty(count, dtype=torch.int32, device=self.values.device)
        self._left_bounds = [0] * len(self._starts)
        return above

    def reselect(self) -> None:
        """The selection stays: whether it would is a question of numbers."""
        self._magnitudes()


def build(config: dict[str, Any], spec: dict[str, Any], classes: int, answer: int = 0) -> Ready:
    """The model of a Hugging Face config without numbers, ready to be finetuned.

    Args:
        config: of the model.
        spec: a run's spec.
        classes: the number of classes.
        answer: tokens of the longest answer, where the objective is `answer`.

    Raises:
        ValueError: if transformers can make no model of the config.
    """
    hush()
    try:
        base = _base(dict(config), spec, classes)
    except Exception as error:  # of a kind that depends on the field
        reason = " ".join(str(error).split())
        raise ValueError(
            f"no model can be made of this config of {config['model_type']}: {reason}"
        ) from None
    with without_numbers():
        if spec["model"].get("quantisation"):
            _swap_linears(base, spec["model"])
        base.eval()
        if spec["model"]["trainable"] == "lora":
            _check_targets(base, config["model_type"], spec["model"]["lora"]["targets"])
        words = spec["method"]["objective"] == "label-words"
        tokens = range(classes) if words else None
        # PEFT looks at what bitsandbytes has before it packs
        return finish(base, spec, tokens, answer=answer, selection=EvenSelection, place=_pack)


def _base(fields: dict[str, Any], spec: dict[str, Any], classes: int) -> Any:
    """The classifier or language model of a config."""
    import transformers

    made = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
    # transformers 5 wants a pad token to find the ends of rows
    if made.get_text_config().pad_token_id is None:
        made.pad_token_id = made.get_text_config().pad_token_id = 0
    if spec["method"]["objective"] == "head":
        auto: Any = transformers.AutoModelForSequenceClassification
        made.num_labels = classes
    elif made.model_type == "qwen2_vl":
        auto = transformers.AutoModelForImageTextToText
    else:
        auto = transformers.AutoModelForCausalLM
    with without_numbers():
        dtype = getattr(torch, spec["model"]["dtype"])
        return auto.from_config(made, dtype=dtype, attn_implementation="eager")


def _check_targets(base: nn.Module, kind: str, targets: list[str]) -> None:
    found = {
        name.rpartition(".")[2]: None
        for name, module in base.named_modules()
        if isinstance(getattr(module, "weight", None), nn.Parameter) and module.weight.ndim == 2
        and not isinstance(module, nn.Embedding)
    }  # fmt: skip
    missed = [name for name in targets if name.rpartition(".")[2] not in found]
    if missed:
        raise ValueError(
            f"no linear of {kind} is called {', '.join(missed)}; it has {', '.join(found)}"
        )


def _pack(model: nn.Module) -> None:
    for module in model.modules():
        for name, value in module._parameters.items():
            if hasattr(value, "quant_state"):
                module._parameters[name] = _packed(value)


def _packed(value: Any) -> nn.Parameter:
    """A weight in 4 bits with nested scales, as bitsandbytes has it."""
    from bitsandbytes.functional import QuantState

    def empty(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(size, dtype=dtype, device="meta")

    blocks = -(-value.numel() // _BLOCK)
    packed = torch.empty((value.numel() + 1) // 2, 1, dtype=torch.uint8, device="meta")
    result = nn.Parameter(packed, requires_grad=False)
    result.quant_state = QuantState(  # type: ignore[attr-defined]
        absmax=empty(blocks, torch.uint8),
        shape=value.shape,
        dtype=value.dtype,
        blocksize=_BLOCK,
        code=empty(16),
        quant_type=value.quant_type,
        offset=torch.empty((), device="meta"),
        state2=QuantState(
            absmax=empty(-(-blocks // _NESTED_BLOCK)),
            blocksize=_NESTED_BLOCK,
            code=empty(256),
            dtype=torch.float32,
        ),
    )
    return result


def _swap_linears(base: nn.Module, spec: dict[str, Any]) -> None:
    """Linears in 4 bits, as transformers makes them when it loads a model so."""
    from bitsandbytes.nn import Linear4bit

    compute = getattr(torch, spec["dtype"])
    for path, parent in list(base.named_modules()):
        for name, layer in list(parent.named_children()):
            # a head of several layers is one
            skipped = set(DENSE) & set(f"{path}.{name}".split("."))
            if type(layer) is nn.Linear and not skipped:
                new = Linear4bit(
                    layer.in_features, layer.out_features, layer.bias is not None,
                    compute_dtype=compute, quant_type=spec["quantisation"],
                )  # fmt: skip
                if layer.bias is not None:
                    new.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
                new.weight.data = new.weight.data.to(compute)
                setattr(parent, name, new.requires_grad_(False))
    base.is_loaded_in_4bit = True  # type: ignore[assignment]
