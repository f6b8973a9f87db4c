"""What is not public in torch, each use a function of its own; checked with torch 2.13.

Every function says what is used, why, and which public interface is missing. A number is that of an issue or pull request of
``pytorch/pytorch``; where none was found there are words to search for. ``tests/system/test_torch_internals.py`` has a test for
each.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

__all__ = [
    "clear_cublas_workspaces",
    "convolution",
    "cpu_multiplies_bf16",
    "fused_adam",
    "is_device_lost",
    "is_out_of_memory",
    "tensor_of_read_only",
    "without_capturable_warning",
    "without_compiler",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation of driver_types.h


def clear_cublas_workspaces() -> None:
    """Give the workspaces back that cuBLAS keeps for every stream it has seen; a torch without the call keeps them.

    Uses ``torch._C._cuda_clearCublasWorkspaces``; `torch.cuda.empty_cache` does not give them back. A public function has been
    asked for: #184084.
    """
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)  # lacks in a torch that is built without CUDA
    if clear is not None:
        clear()


def cpu_multiplies_bf16() -> bool:
    """Whether the processor has AVX512-BF16 or AMX instructions for bfloat16.

    Uses ``torch.cpu._is_avx512_bf16_supported``; `torch.backends.cpu.get_cpu_capability` knows no more than AVX512. Where torch
    drops it, no is the safe answer: float32 is right everywhere. torch's notes send people to ``lscpu``, #86550.
    """
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return "AVX512" in torch.backends.cpu.get_cpu_capability() and probe is not None and bool(probe())


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int = 1, relu: bool = False) -> Tensor:
    """``F.conv2d`` on a CPU, without padding and gradients, by oneDNN whatever the size; ReLU in the same pass over the output.

    Uses ``torch.ops.mkldnn._convolution_pointwise``, which torch's compiler calls for the same purpose. `F.conv2d` takes another
    routine for small inputs, which adds in another order, and a second pass for ReLU takes a tenth longer. Where torch has no
    oneDNN it is `F.conv2d`. Search words: "use_mkldnn input numel 20480 conv2d different results".
    """
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    fused = getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if available else None
    if fused is None:
        plain = torch.nn.functional.conv2d(x, weight, bias, stride=stride)
        return plain.relu_() if relu else plain
    kind = "relu" if relu else "none"
    out: Tensor = fused(x, weight, bias, [0, 0], [stride, stride], [1, 1], 1, kind, [], "")
    return out


def fused_adam(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    steps: Sequence[Tensor],
    *,
    rate: float | Tensor,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """One step of Adam in place, in one kernel for all parameters.

    Uses ``torch.optim.adam.adam``, which the documentation does not list; the class `torch.optim.Adam` cannot share a parameter
    group's state with another rule. Search words: "functional adam torch.optim documented".

    Args:
        parameters: what moves.
        gradients: of the parameters.
        first: their first moments.
        second: their second moments.
        steps: for each, a tensor without dimensions that counts its steps.
        rate: the learning rate, a number or a tensor without dimensions.
        betas: how fast the moments forget.
        epsilon: added to the square root of the second moment.
    """
    adam(
        list(parameters),
        list(gradients),
        list(first),
        list(second),
        [],
        list(steps),
        fused=True,
        amsgrad=False,
        beta1=betas[0],
        beta2=betas[1],
        lr=rate,
        weight_decay=0.0,
        eps=epsilon,
        maximize=False,
    )


def without_compiler(method: _Method) -> _Method:
    """A method of `torch.optim.Optimizer` without the wrapper that keeps torch's compiler out.

    Uses its attribute ``__wrapped__``: the wrapper imports the compiler, two seconds of every process that trains, and nothing
    here is compiled. The same import elsewhere: #162595.
    """
    unwrapped: _Method = inspect.unwrap(method)
    return unwrapped


@contextmanager
def without_capturable_warning() -> Iterator[None]:
    """Within the block an optimizer that can be recorded as a CUDA graph takes plain steps without a warning.

    Uses the text of the warning, which has no category of its own: ``Optimizer._cuda_graph_capture_health_check`` gives it
    where steps come before the recording, as they must. Search words: "constructed with capturable=True but step".
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
        yield


def tensor_of_read_only(array: NDArray[Any]) -> Tensor:
    """A tensor on the memory of an array that may be read-only; nobody may write to it.

    Uses the text of a warning, which has no category of its own: arrays that several processes share arrive read-only, and
    torch has no tensors of that kind. Search words: "The given NumPy array is not writable".
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a GPU's memory was full.

    `torch.OutOfMemoryError` is a type and ``AcceleratorError.error_code`` a number of CUDA's, though both are undocumented.
    Uses the text where cuBLAS finds no room for a handle, which is a plain RuntimeError: #128601.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == _MEMORY_ALLOCATION
    return isinstance(error, RuntimeError) and "CUBLAS_STATUS_ALLOC_FAILED" in str(error)


def is_device_lost(error: BaseException) -> bool:
    """Whether an error says that CUDA no longer works in this process; another process may have a working GPU.

    `torch.AcceleratorError` is a type. Uses the text of errors of CUDA's libraries, which are plain RuntimeErrors: cuBLAS
    (``CUDA error: CUBLAS_STATUS_...``) and, in the same form, its fellows. Search words: "CUBLAS_STATUS_EXECUTION_FAILED type".
    """
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and str(error).startswith("CUDA error")
