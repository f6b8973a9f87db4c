"""What is not public in torch is still there: each test names what an upgrade has changed."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from srcnn.system import torch_internals


def test_cublas_workspaces_are_cleared_where_torch_has_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.version.cuda:
        assert hasattr(torch._C, "_cuda_clearCublasWorkspaces")
    called: list[bool] = []
    monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: called.append(True), raising=False)
    torch_internals.clear_cublas_workspaces()
    assert called == [True]


def test_torch_cpu_is_avx512_bf16_supported() -> None:
    assert hasattr(torch.cpu, "_is_avx512_bf16_supported")
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = file.read()
    except OSError:
        pytest.skip("the processor's flags are not shown here")
    if torch_internals.cpu_multiplies_bf16():
        assert "avx512_bf16" in flags


def test_torch_optim_adam_adam_steps_as_the_class_does() -> None:
    draw = torch.Generator().manual_seed(0)
    start, gradient = (torch.randn(5, generator=draw) for _ in range(2))
    theirs = torch.nn.Parameter(start.clone())
    theirs.grad = gradient.clone()
    torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99), eps=1e-8).step()
    ours = start.clone()
    torch_internals.fused_adam(
        [ours],
        [gradient],
        [torch.zeros(5)],
        [torch.zeros(5)],
        [torch.zeros(())],
        rate=0.01,
        betas=(0.9, 0.99),
        epsilon=1e-8,
    )
    torch.testing.assert_close(ours, theirs.detach())


@pytest.mark.parametrize("name", ["add_param_group", "load_state_dict", "state_dict"])
def test_optimizer_methods_have_a_wrapper_to_take_off(name: str) -> None:
    method = getattr(torch.optim.Optimizer, name)
    assert hasattr(method, "__wrapped__")
    assert not hasattr(torch_internals.without_compiler(method), "__wrapped__")


def test_the_unwrapped_methods_do_not_import_the_compiler() -> None:
    code = (
        "import sys, torch\nfrom srcnn.training.optimizers import Muon\n"
        "o = Muon([{'params': [torch.nn.Parameter(torch.zeros(2))]}], lr=1.0); o.load_state_dict(o.state_dict())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_capturable_warning_begins_as_it_is_filtered() -> None:
    source = inspect.getsource(torch.optim.Optimizer._cuda_graph_capture_health_check)
    assert "This instance was constructed with capturable=True" in source
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch_internals.without_capturable_warning():
            warnings.warn("This instance was constructed with capturable=True or more", stacklevel=1)


def test_the_warning_about_read_only_arrays_begins_as_it_is_filtered() -> None:
    """In a process of its own: torch gives the warning once."""
    code = (
        "import numpy as np, torch, warnings\nfrom srcnn.system.torch_internals import tensor_of_read_only\n"
        "a = np.zeros(2); a.flags.writeable = False\n"
        "warnings.simplefilter('error'); tensor_of_read_only(a)\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code = "import numpy as np, torch; a = np.zeros(2); a.flags.writeable = False; torch.from_numpy(a)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "The given NumPy array is not writable" in done.stderr


def test_a_tensor_shares_the_memory_of_its_array() -> None:
    array = np.zeros(2)
    tensor = torch_internals.tensor_of_read_only(array)
    array[0] = 1
    assert tensor.tolist() == [1, 0]


def test_accelerator_errors_are_a_type_that_a_plain_error_is_not() -> None:
    assert issubclass(torch.AcceleratorError, RuntimeError)
    assert not issubclass(torch.OutOfMemoryError, torch.AcceleratorError)
    assert torch_internals.is_device_lost(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    assert not torch_internals.is_out_of_memory(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    assert torch_internals.is_out_of_memory(torch.OutOfMemoryError("x"))
    assert not torch_internals.is_device_lost(RuntimeError("shapes do not fit"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_an_accelerator_error_carries_cudas_code() -> None:
    """In a process of its own, which the error leaves without a working GPU."""
    code = (
        "import torch\ntry:\n    torch.zeros(2, device='cuda')[torch.tensor([9], device='cuda')].cpu()\n"
        "except torch.AcceleratorError as error:\n    print(error.error_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "710"  # cudaErrorAssert


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_full_gpu_raises_the_type_for_it() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(1 << 50, dtype=torch.uint8, device="cuda")


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_mkldnn_convolution_pointwise_is_conv2d(monkeypatch: pytest.MonkeyPatch, relu: bool, stride: int) -> None:
    draw = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 30, 40, generator=draw).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(16, 3, 5, 5, generator=draw).contiguous(memory_format=torch.channels_last)
    bias = torch.randn(16, generator=draw)
    expected = torch.nn.functional.conv2d(image, weight, bias, stride=stride)
    expected = expected.relu() if relu else expected
    assert torch.allclose(
        torch_internals.convolution(image, weight, bias, stride=stride, relu=relu), expected, atol=1e-4
    )
    half = torch_internals.convolution(image.bfloat16(), weight.bfloat16(), bias, stride=stride, relu=relu)
    assert half.dtype == torch.bfloat16  # with a bias of float32
    assert torch.allclose(half.float(), expected, atol=0.2, rtol=0.02)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert torch.equal(torch_internals.convolution(image, weight, bias, stride=stride, relu=relu), expected)
