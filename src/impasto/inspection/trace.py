"""A network's own forward pass, noted call by call on tensors without memory: works for any body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from impasto.inspection.calls import KINDS, Applied, Shape


@dataclass
class Call:
    """A function call on what comes from the photo, or all those within one call of a module without children."""

    kind: str
    """One of KINDS, or `photo`."""
    label: str
    """For people: `conv 9×9, stride 2`."""
    owner: str
    """Name of the innermost module that made the call; "" is the network itself."""
    ticket: int
    """Number of that module's call."""
    inputs: list[int]
    """Numbers of the calls whose results go in."""
    output: Shape
    macs: int = 0


def record(network: nn.Module, photo: Tensor, *others: Tensor) -> list[Call]:
    """The calls of ``network(photo, *others)`` in their order, the photo itself first.

    Raises:
        Exception: whatever the network raises.
    """
    recorder = Recorder(network, photo)
    with torch.no_grad(), recorder.hooked(), recorder:
        network(photo, *others)
    return recorder.calls


class Recorder(TorchFunctionMode):
    """Notes every function call on tensors that come from `photo`, while it is active."""

    def __init__(self, network: nn.Module, photo: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._modules = dict(network.named_modules())
        self._stack: list[tuple[str, int]] = [("", 0)]
        self._tickets = 0
        # Tensors are kept, so that no new one gets the id of one that is gone.
        self._made: dict[int, tuple[Tensor, int]] = {}
        self._add(photo, "photo", "photo", [], 0)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Within, it is known which module makes a call."""
        handles = []
        for name, module in self._modules.items():
            handles.append(module.register_forward_pre_hook(partial(self._enter, name)))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        self._tickets += 1
        self._stack.append((name, self._tickets))

    def _leave(self, module: nn.Module, inputs: Any, result: Any) -> None:
        self._stack.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [tensor for tensor in _tensors([*args, *kwargs.values()]) if id(tensor) in self._made]
        # Asked now, since a call in place may change both.
        shape = tuple(given[0].shape) if given else ()
        inputs = list(dict.fromkeys(self._made[id(tensor)][1] for tensor in given))
        result = func(*args, **kwargs)
        if inputs and isinstance(result, Tensor):
            name = func.__name__.strip("_")
            self._note(Applied(name, args, kwargs, shape, tuple(result.shape), len(inputs)), inputs, result)
        return result

    def _note(self, applied: Applied, inputs: list[int], result: Tensor) -> None:
        if applied.is_plumbing:
            self._made[id(result)] = (result, inputs[0])
        else:
            self._add(result, *applied.describe(), inputs, applied.macs)

    def _add(self, result: Tensor, kind: str, label: str, inputs: list[int], macs: int) -> None:
        owner, ticket = self._stack[-1]
        call = Call(kind, label, owner, ticket, inputs, tuple(result.shape), macs)
        if self.calls and self.calls[-1].ticket == ticket and not any(self._modules[owner].children()):
            _extend(self.calls[-1], call, len(self.calls) - 1)
        else:
            self.calls.append(call)
        self._made[id(result)] = (result, len(self.calls) - 1)


def _extend(call: Call, more: Call, number: int) -> None:
    """Takes `more` into `call` of that number: both lie within one call of a module."""
    if KINDS.index(more.kind) < KINDS.index(call.kind):
        call.kind, call.label = more.kind, more.label
    call.output = more.output
    call.macs += more.macs
    call.inputs += [source for source in more.inputs if source not in (*call.inputs, number)]


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
