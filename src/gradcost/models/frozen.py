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
    """x @ W.T for a frozen W, or x @ W if `transposed`: each is the cotangent of the other.

    W is given by a function, so that autograd stores none of it.
    """

    @staticmethod
    def forward(x: Tensor, weight: WeightFn, transposed: bool) -> Tensor:
        dense = weight().to(x.dtype)
        return x @ dense if transposed else linear(x, dense)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, WeightFn, bool], output: Tensor) -> None:
        _, ctx.weight, ctx.transposed = inputs

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        return _Product.apply(cotangent, ctx.weight, not ctx.transposed), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        product: Tensor = _Product.apply(tangent, ctx.weight, ctx.transposed)
        return product

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int, None, None], x: Tensor, weight: WeightFn, transposed: bool
    ) -> Any:
        # a product over the last dimension does not mind one more in front
        return _Product.apply(x.movedim(in_dims[0], 0), weight, transposed), 0


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
        output: Tensor = _Product.apply(x, self.dense, False)
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
