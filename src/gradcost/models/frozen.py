"""Linears that know that their weight is frozen.

PyTorch's forward mode gives every operand a tangent: through `x @ W` with a tangent on x
alone, it makes the frozen weight's tangent of zeros and multiplies by that too, three
products where two are needed. `FrozenLinear` says what the derivatives are: a product for
the output and a product for each tangent or cotangent of the input, and nothing for the
weight. A weight in 4 bits is expanded inside each product and nothing dense is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

WeightFn = Callable[[], Tensor]


class _Product(torch.autograd.Function):
    """x @ W.T for a frozen W, given by a function so that autograd stores none of it."""

    @staticmethod
    def forward(x: Tensor, weight: WeightFn) -> Tensor:
        return linear(x, weight().to(x.dtype))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, WeightFn], output: Tensor) -> None:
        ctx.weight = inputs[1]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        return _BackProduct.apply(cotangent, ctx.weight), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        product: Tensor = _Product.apply(tangent, ctx.weight)
        return product

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], x: Tensor, weight: WeightFn) -> Any:
        # a product over the last dimension does not mind one more in front
        return _Product.apply(x.movedim(in_dims[0], 0), weight), 0


class _BackProduct(torch.autograd.Function):
    """y @ W for a frozen W: the cotangent of `_Product`, itself differentiable."""

    @staticmethod
    def forward(y: Tensor, weight: WeightFn) -> Tensor:
        return y @ weight().to(y.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, WeightFn], output: Tensor) -> None:
        ctx.weight = inputs[1]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        return _Product.apply(cotangent, ctx.weight), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        product: Tensor = _BackProduct.apply(tangent, ctx.weight)
        return product

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], y: Tensor, weight: WeightFn) -> Any:
        return _BackProduct.apply(y.movedim(in_dims[0], 0), weight), 0


class FrozenLinear(nn.Module):
    """A linear layer with a frozen weight, dense or in bitsandbytes' 4 bits.

    Same numbers as the layer it replaces, for plain calls, `backward`, dual numbers,
    `torch.func.jvp` and `vmap`. (bitsandbytes' own `Linear4bit` gives wrong jvps under
    `torch.func.jvp` and `vmap`, without an error.)
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = _Product.apply(x, self.dense)
        return output if self.bias is None else output + self.bias

    def dense(self) -> Tensor:
        """The weight (out_features, in_features) as a dense tensor."""
        if hasattr(self.weight, "quant_state"):
            import bitsandbytes.functional

            return bitsandbytes.functional.dequantize_4bit(  # type: ignore[no-any-return]
                self.weight.data, self.weight.quant_state
            )
        return self.weight


def freeze_linears(model: nn.Module) -> int:
    """Swap every linear of `model` whose weight is frozen for a `FrozenLinear`; their number.

    Raises:
        NotImplementedError: naming the module, for a packed layer of a kind that is not known.
    """
    count = 0
    for parent_name, parent in list(model.named_modules()):
        if isinstance(parent, FrozenLinear):
            continue
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear) and not layer.weight.requires_grad:
                setattr(parent, name, FrozenLinear(layer))
                count += 1
            elif hasattr(layer, "qweight"):
                raise NotImplementedError(
                    f"{parent_name}.{name}: no frozen linear for packed weights of "
                    f"{type(layer).__name__}"
                )
    return count
