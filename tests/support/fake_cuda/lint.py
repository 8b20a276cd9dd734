"""Writes down each operator of a captured body, and what a real capture would refuse."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: Wait for the device, since Python or the shape of the result needs a value.
WAITING = {
    "_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "nonzero_numpy", "masked_select", "_unique2",
    "unique_dim", "unique_consecutive",
}  # fmt: skip
#: Launch no kernel.
VIEWS = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "expand", "permute", "transpose", "t", "movedim", "unsqueeze",
    "squeeze", "select", "slice", "detach", "alias", "as_strided", "split", "split_with_sizes", "unbind", "unfold",
    "diagonal", "flatten", "unflatten", "lift_fresh", "empty", "empty_like", "empty_strided", "new_empty",
    "new_empty_strided", "resize_", "set_",
}  # fmt: skip
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "matmul", "mv", "dot", "convolution"}
FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a capture refuses, or would get wrong.

    `kind`: `wait`, `copy` (between host and device), `mixed` (an operator of a host and a device tensor), `random`,
    `no kernel`, `replaced` (a tensor that the captured kernels use is another one when the graph is replayed).
    """

    kind: str
    what: str
    where: str


@dataclass
class Capture:
    """What one captured body launches: operators by name, and the bytes that they read and write."""

    operators: Counter[str] = field(default_factory=Counter)
    bytes_moved: int = 0


class Lint(TorchDispatchMode):
    """Sees each operator above the fake tensors; `capture` takes the place of `graph.capture`."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: Counter[Fault] = Counter()
        self.captures: list[Capture] = []
        self.tuned: set[int] = set()  # batch sizes of the convolutions for which cuDNN would try all its ways
        self._now: Capture | None = None
        self._given: dict[int, tuple[Any, tuple[int, ...]]] = {}
        self._made: set[int] = set()

    # -------------------------------------------------------------------------------- captures

    def capture(
        self, body: Callable[[], None], warm_up: Callable[[], None], *rest: Any, **more: Any
    ) -> tuple[Callable[[], None], Any]:
        """Records `body` as a capture would; the replay runs it again and compares what it reads."""
        self._record(warm_up, Capture())  # some faults are refused by the fake tensors at the first try
        self.captures.append(Capture())
        given = self._record(body, self.captures[-1])
        held = [storage for storage, _ in given.values()]  # else another tensor could get its address

        def replay(_held: Any = held) -> None:
            for address, (_, shape) in self._record(body, Capture()).items():
                if address not in given:
                    self.fault("replaced", f"a tensor {shape} that was another one at the capture")

        return replay, None

    def _record(self, body: Callable[[], None], into: Capture) -> dict[int, tuple[Any, tuple[int, ...]]]:
        self._given, self._made, self._now = {}, set(), into
        try:
            body()
        finally:
            self._now = None
        return self._given

    def fault(self, kind: str, what: str) -> None:
        """Note a fault with the lines of ours that led to it; outside a capture nothing is one."""
        if self._now is None and kind != "replaced":
            return
        frames = [f for f in traceback.extract_stack() if "/tuitrain/" in f.filename]
        lines = [f"{f.filename.rpartition('/tuitrain/')[2]}:{f.lineno}" for f in reversed(frames[-2:])]
        self.faults[Fault(kind, what, " < ".join(lines))] += 1

    # -------------------------------------------------------------------------------- operators

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        if name in WAITING or self._by_mask(name, given):
            self.fault("wait", str(func))
            if name in ("_local_scalar_dense", "item", "is_nonzero", "equal"):
                return self._made_up(name, given)
        self._mixed(func, name, given)
        if name == "convolution" and torch.backends.cudnn.benchmark:
            self.tuned.add(len(given[0]))
        # In place and without outputs; torch has no fake form of some of these.
        fused = name.startswith("_fused_") and name.endswith("_")
        out = None if fused else func(*args, **kwargs)
        if self._now is not None:
            made = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
            self._look(func, name, given, made, kwargs)
        return out

    def _look(self, func: Any, name: str, given: list[Any], made: list[Any], kwargs: Any) -> None:
        devices = {t.device.type for t in given}
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.fault("random", str(func))
        if given and name in ("_to_copy", "copy_"):
            target = (
                given[0].device if name == "copy_" else torch.device(kwargs.get("device") or given[0].device)
            )
            if target.type != given[-1].device.type:
                self.fault("copy", f"{func} {tuple(given[-1].shape)}")
        if "cuda" in devices or any(t.device.type == "cuda" for t in made):
            self._count(func, name, given, made)
        for tensor in given:
            self._given_by_caller(tensor)
        self._made |= {t.untyped_storage()._cdata for t in made if isinstance(t, FakeTensor)}

    def _mixed(self, func: Any, name: str, given: list[Any]) -> None:
        both = {t.device.type for t in given} == {"cuda", "cpu"}
        if (
            both
            and name not in ("_to_copy", "copy_")
            and any(t.dim() for t in given if t.device.type == "cpu")
        ):
            self.fault("mixed", f"{func} {[tuple(t.shape) for t in given]}")

    def _count(self, func: Any, name: str, given: list[Any], made: list[Any]) -> None:
        if name in VIEWS or func.namespace == "prim" or self._now is None:
            return
        self._now.operators[name] += 1
        read = [*made, *given[1:]] if name == "index_select" else given  # that reads no more than it takes
        self._now.bytes_moved += sum(t.numel() * t.itemsize for t in (*read, *made))
        has = torch._C._dispatch_has_computed_kernel_for_dispatch_key
        if func.namespace == "aten" and not has(func.name(), "CUDA"):
            self.fault("no kernel", str(func))
        if name in PRODUCTS:
            for dtype in {t.dtype for t in given if t.is_cuda} - FLOATING:
                self.fault("no kernel", f"{func} of {dtype}")

    def _given_by_caller(self, tensor: Any) -> None:
        if isinstance(tensor, FakeTensor):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._made:
                self._given[storage._cdata] = (storage, tuple(tensor.shape))

    @staticmethod
    def _by_mask(name: str, given: list[Any]) -> bool:
        return name == "index" and any(t.dtype in (torch.bool, torch.uint8) for t in given[1:])

    @staticmethod
    def _made_up(name: str, given: list[Any]) -> Any:
        if name in ("is_nonzero", "equal") or given[0].dtype == torch.bool:
            return True
        return 1.0 if given[0].dtype.is_floating_point else 1
