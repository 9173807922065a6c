"""Linears that know that their weight is frozen.

PyTorch's forward mode gives every operand a tangent: through `x @ W` with a tangent on x
alone, it makes the frozen weight's tangent of zeros and multiplies by that too, three
products where two are needed. `FrozenLinear` says what the derivatives are: a product for
the output and a product for each tangent or cotangent of the input, and nothing for the
weight. A packed weight is expanded inside each product and nothing dense is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, autograd, nn
from torch.autograd import forward_ad
from torch.nn.functional import linear

from gradcost.models.packed import Storage, is_packed, storage

WeightFn = Callable[[], Tensor]


class _Product(autograd.Function):
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
    """A linear layer with a frozen weight, dense or packed (see `gradcost.models.packed`).

    Same numbers as the layer it replaces, for plain calls, `backward`, dual numbers,
    `torch.func.jvp` and `vmap`, in the precision of the inputs. (bitsandbytes' own
    `Linear4bit` gives wrong jvps under `torch.func.jvp` and `vmap`, without an error.)

    It holds the layer's own parameters and buffers under the names that they had, so a tied
    weight stays tied.
    """

    bias: Tensor | None

    def __init__(self, layer: nn.Module, stored: Storage | None = None) -> None:
        """Take over `layer`, whose weight is `stored`.

        Raises:
            NotImplementedError: for a packed weight of a kind that is not known.
            TypeError: if `layer` is no linear with a frozen weight.
        """
        super().__init__()
        stored = stored or storage(layer)
        if stored is None:
            raise TypeError(f"{type(layer).__name__} is not a linear with a frozen weight")
        self.in_features, self.out_features, self._dense = stored
        for name, parameter in layer._parameters.items():
            self.register_parameter(name, parameter)
        for name, buffer in layer._buffers.items():
            kept = name not in layer._non_persistent_buffers_set
            self.register_buffer(name, buffer, persistent=kept)
        if not hasattr(self, "bias"):
            self.register_parameter("bias", None)
        self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to (..., out_features)."""
        if torch.is_grad_enabled() or forward_ad.unpack_dual(x).tangent is not None:
            output: Tensor = _Product.apply(x, self.dense, False)
        else:  # nothing to differentiate: a plain product is called in a quarter of the time
            output = linear(x, self.dense().to(x.dtype))
        return output if self.bias is None else output + self.bias.to(output.dtype)

    def dense(self) -> Tensor:
        """The weight (out_features, in_features) as a dense tensor."""
        return self._dense(self)

    def extra_repr(self) -> str:
        """The sizes, as PyTorch's own linear shows them."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


class StockLinear(FrozenLinear):
    """As published: a packed weight is made dense, and stock PyTorch multiplies by it.

    What the public code's GPTQ kernel does for a batch of some size. Forward mode multiplies
    by the tangent of the dense weight, which is zero, and `backward` keeps the dense weight.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to (..., out_features)."""
        output = linear(x, self.dense().to(x.dtype))
        return output if self.bias is None else output + self.bias.to(output.dtype)


def freeze_linears(model: nn.Module, *, stock: bool = False) -> int:
    """Swap every linear of `model` whose weight is frozen for a `FrozenLinear`; their number.

    Adapters come first: PEFT knows no `FrozenLinear`. A layer that the model has in several
    places, or a weight that it shares with another layer, stays shared.

    Args:
        stock: make it a `StockLinear` if its weight is packed, and leave it alone otherwise.

    Raises:
        NotImplementedError: naming the module, for a packed layer of a kind that is not known.
    """
    frozen: dict[nn.Module, FrozenLinear] = {}
    for path, parent in list(model.named_modules()):
        # not named_children, which leaves out a layer's second name
        for name, layer in parent._modules.items():
            if layer is None or isinstance(layer, FrozenLinear):
                continue
            if layer not in frozen:
                try:
                    stored = storage(layer)
                except NotImplementedError as error:
                    full = f"{path}.{name}".removeprefix(".")
                    kind = f"{type(layer).__module__}.{type(layer).__qualname__}"
                    raise NotImplementedError(
                        f"{full} ({kind}): no frozen linear: {error}"
                    ) from None
                if stored is None or (stock and not is_packed(layer)):
                    continue
                frozen[layer] = (StockLinear if stock else FrozenLinear)(layer, stored)
            parent._modules[name] = frozen[layer]
    return len(frozen)
