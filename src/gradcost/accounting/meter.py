"""FLOPs and peak memory by category, in one pass, alike on CPU, on CUDA and without numbers.

A `Meter` sees every operation that PyTorch dispatches while it is entered. FLOPs are those of
PyTorch's own counter: of the matrix products and convolutions, a multiply-add being two.
Memory is what the computation itself keeps alive: the storage of every tensor that an
operation returns, from then until nothing refers to it. (The operating system's view of a
process is useless here: it keeps what Python freed. PyTorch's `FlopCounterMode` cannot be
entered at the same time: its hooks keep checkpointed graphs alive.) Scratch space inside a
kernel and what an allocator holds in reserve are not seen.

What a storage is for follows from what it was made of. Frozen weights and trainable
parameters are said beforehand; gradients and states are said when they are known, and are
then what they are from their beginning. Of the rest,

- what a random generator filled, and what follows from it and the parameters alone, is a
  direction, such as a perturbed copy of the parameters;
- while dual numbers are propagated, all that follows from a direction is a tangent;
- what follows from weights and states alone is workspace, such as a packed weight made dense;
- everything else is an activation, its cotangent in a backward pass included.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gradcost.study.record import Memory

# Smaller storages are coefficients, such as the slopes along directions, which do not decide
# what a product is.
_COEFFICIENTS = 128
_KNOWN = {"frozen_weights", "trainable_parameters", "states", "workspace"}


@dataclass
class _Life:
    """A storage: its size, what it is for, and the Python call that made it."""

    size: int
    category: str
    call: Any = None


@dataclass(frozen=True)
class Trace:
    """What was counted, for any number of examples in the batch.

    Attributes:
        examples: in the batch that was counted. What is a multiple of it belongs to the
            examples, and all else does not; so it should be a prime that no size of the
            model has for a factor, such as `MANY`, if other batches are asked for.
        flops: (k,), of the operations.
        signs: (m,), 1 where a storage begins and -1 where it ends, in the order of time.
        sizes: (m,), its bytes.
        categories: (m,), what it is for: an index of the fields of `Memory`.
        before: (l,), bytes of the storages that were there from the start.
        categories_before: (l,), what they are for.
    """

    examples: int
    flops: Any
    signs: Any
    sizes: Any
    categories: Any
    before: Any
    categories_before: Any

    def flops_at(self, examples: int) -> int:
        """FLOPs with a batch of so many examples."""
        return int(self._scaled(self.flops, examples).sum())

    def peak_at(self, examples: int) -> Memory:
        """What is alive when most is, on the device; the host's bytes at their own peak."""
        changes = self.signs * self._scaled(self.sizes, examples)
        names = list(Memory.model_fields)
        on_host = self.categories == names.index("host")
        alive = np.cumsum(np.where(on_host, 0, changes))
        until = int(alive.argmax()) + 1 if alive.max(initial=0) > 0 else 0
        before = self._scaled(self.before, examples)
        found = {
            name: int(before[self.categories_before == i].sum())
            + int(changes[:until][self.categories[:until] == i].sum())
            for i, name in enumerate(names)
        }
        host = np.cumsum(np.where(on_host, changes, 0)).max(initial=0)
        return Memory(**found | {"host": int(host)})

    def _scaled(self, amounts: Any, examples: int) -> Any:
        of_examples = amounts % self.examples == 0
        return np.where(of_examples, amounts // self.examples * examples, amounts)


# A prime, and much larger than what models have in common.
MANY = 100_003


class Meter(TorchDispatchMode):
    """Counts while it is entered.

    Attributes:
        live: bytes alive now, beyond those that were there before.
    """

    def __init__(self, **known: Iterable[Tensor]) -> None:
        """Args: known: by category of `Memory`, the tensors that were there before."""
        super().__init__()
        self.live = 0
        self._flops: list[int] = []
        self._lives: dict[int, _Life] = {}
        self._events: list[tuple[int, _Life, _Life | None]] = []
        self._host = 0
        self._call: Any = None
        self._primal: Any = None
        # whether all is without numbers
        self._on_meta = False
        for category, tensors in known.items():
            for tensor in tensors:
                self._on_meta |= tensor.device.type == "meta"
                for part in (tensor, *scales(tensor)):
                    self._lives.setdefault(_key(part), _Life(_size(part), category))
        self._before = list(self._lives.values())

    def claim(self, category: str, tensors: Any) -> None:
        """Say what tensors are for, from their beginning.

        Args:
            category: of `Memory`.
            tensors: a tensor, or containers of them; anything else within is left out. What
                was there before keeps its category.
        """
        before = {id(life) for life in self._before}
        for tensor in _tensors(tensors):
            life = self._lives.get(_key(tensor))
            if life is not None and id(life) not in before:
                life.category = category

    @property
    def flops(self) -> int:
        """FLOPs so far."""
        return sum(self._flops)

    def peak(self) -> Memory:
        """What was alive when most was."""
        return self.trace(1).peak_at(1)

    def trace(self, examples: int) -> Trace:
        """All that was counted of a batch of `examples`."""
        names = list(Memory.model_fields)
        events = self._in_place()
        return Trace(
            examples=examples,
            flops=np.array(self._flops, dtype=np.int64),
            signs=np.array([sign for sign, _ in events], dtype=np.int64),
            sizes=np.array([life.size for _, life in events], dtype=np.int64),
            categories=np.array([names.index(life.category) for _, life in events], dtype=np.int64),
            before=np.array([life.size for life in self._before], dtype=np.int64),
            categories_before=np.array([names.index(life.category) for life in self._before]),
        )

    def _in_place(self) -> list[tuple[int, _Life]]:
        """The events as they are when nobody looks.

        Where a mode is entered, or tensors have no numbers, PyTorch's own formulas avoid
        operations in place. What would have been one shows as a result of which a source
        ends before anything else begins.
        """
        found: list[tuple[int, _Life]] = []
        for index, (sign, life, source) in enumerate(self._events):
            if source is not None:
                for later, other, _ in self._events[index + 1 :]:
                    if later > 0 or other is source:
                        break
                if later < 0 and other is source:
                    found.append((-1, source))
                    source.call = _GONE
            if sign > 0 or life.call is not _GONE:
                found.append((sign, life))
        return found

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled, and asking each time takes a fifth of the count."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet in _MARKERS:
            self._mark(packet, args)
        result = func(*args, **kwargs)
        if packet in flop_registry:
            self._flops.append(int(flop_registry[packet](*args, **kwargs, out_val=result)))
        self._follow(func, args, kwargs, result)
        return result

    def _mark(self, packet: Any, args: Any) -> None:
        """Follow `torch.profiler.record_function("host")`: what is made within is the host's."""
        if packet is _ENTER:
            self._host += bool(self._host or args[0] == "host")
        else:
            self._host -= bool(self._host)

    def _follow(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        fresh = [
            leaf
            for leaf in _tensors(result)
            # neither has memory: tangents known to be zero, and what asks for shapes alone
            if not leaf._is_zerotensor() and (self._on_meta or leaf.device.type != "meta")
        ]
        if not fresh:
            return
        results = {_key(leaf) for leaf in fresh}
        operands = [
            life
            for leaf in _tensors((args, kwargs))
            if (key := _key(leaf)) not in results and (life := self._lives.get(key)) is not None
        ]
        sources = {life.category for life in operands if life.size > _COEFFICIENTS}
        category, call = self._category(func, sources), _call()
        for leaf in fresh:
            key = _key(leaf)
            life = self._lives.get(key)
            if life is None:
                self._begin(leaf, key, _Life(_size(leaf), category, call), func, operands)
            elif category == "directions" and life.category in ("activations", "workspace"):
                # filled in place
                life.category = category

    def _category(self, func: Any, sources: set[str]) -> str:
        if self._host:
            return "host"
        if torch.Tag.nondeterministic_seeded in func.tags:
            return "directions"
        from_directions = sources <= _KNOWN | {"directions"} or forward_ad._current_level >= 0
        if "directions" in sources and from_directions:
            return "directions"
        return "workspace" if sources and sources <= _KNOWN else "activations"

    def _begin(
        self, tensor: Tensor, key: int, life: _Life, func: Any, operands: list[_Life]
    ) -> None:
        source = None
        if self._overwrites(func, life.call):
            same = [one for one in operands if one.size == life.size and one.call == life.call]
            source = same[0] if same else None
        self._lives[key] = life
        self._events.append((1, life, source))
        self.live += life.size
        weakref.finalize(tensor.untyped_storage(), self._end, key, life)

    def _overwrites(self, func: Any, call: Any) -> bool:
        """Whether PyTorch, unwatched, would write the result over an operand that it made."""
        if call != self._call:
            self._call, self._primal = call, func._overloadpacket
        if call[0] is _BACKWARD:
            # where the gradients of several uses of a tensor meet
            return func is torch.ops.aten.add.Tensor
        if forward_ad._current_level < 0:
            return False
        known = _WRITTEN_OVER.get(self._primal, ())
        return func._overloadpacket in known

    def _end(self, key: int, life: _Life) -> None:
        del self._lives[key]
        self._events.append((-1, life, None))
        self.live -= life.size


def stored_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the distinct storages behind `tensors`, packed weights and their scales too."""
    parts = (part for tensor in tensors for part in (tensor, *scales(tensor)))
    return sum({_key(part): _size(part) for part in parts}.values())


def scales(tensor: Tensor) -> list[Tensor]:
    """The tensors of a bitsandbytes 4-bit weight besides its packed numbers."""
    state = getattr(tensor, "quant_state", None)
    nested = getattr(state, "state2", None)
    parts = [getattr(one, name, None) for one in (state, nested) for name in ("absmax", "code")]
    return [part for part in parts if isinstance(part, Tensor)]


def _call() -> tuple[Any, ...]:
    """The Python call that the present operation is a part of.

    Operations of a derivative all come from the one call of what is differentiated.
    """
    if forward_ad._current_level < 0 and torch._C._current_graph_task_id() < 0:
        return (None,)
    frame: Any = sys._getframe(3)
    while frame.f_code.co_filename in _WRAPPERS:
        frame = frame.f_back
    if frame.f_code is _BACKWARD:
        return (_BACKWARD,)
    found: list[Any] = []
    while frame is not None and len(found) < 8:
        found += [id(frame), frame.f_lasti]
        frame = frame.f_back
    return tuple(found)


def _tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors in `tree`, out of what function transforms wrap around them."""
    if isinstance(tree, Tensor):
        while torch._C._functorch.is_functorch_wrapped_tensor(tree):
            tree = torch._C._functorch.get_unwrapped(tree)
        yield tree
    elif isinstance(tree, (tuple, list, set, frozenset)):
        for part in tree:
            yield from _tensors(part)
    elif isinstance(tree, Mapping):
        yield from _tensors([*tree.values()])


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _size(tensor: Tensor) -> int:
    return int(tensor.untyped_storage().nbytes())


_ENTER = torch.ops.profiler._record_function_enter_new
_MARKERS = {_ENTER, torch.ops.profiler._record_function_exit}
# between an operation and a mode's `__torch_dispatch__`
_WRAPPERS = {torch._dynamo.eval_frame.__file__, torch._compile.__file__}
_BACKWARD = torch.autograd.graph._engine_run_backward.__code__
_GONE = object()
_aten = torch.ops.aten
# what the derivatives of these do in place
_WRITTEN_OVER = {
    _aten._softmax: {_aten.exp},
    _aten._log_softmax: {_aten.exp},
    _aten.native_layer_norm: {_aten.mul, _aten.add},
}
