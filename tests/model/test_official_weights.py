"""The authors' file format: orientation of the kernels against plain loops over MATLAB's arrays, and broken files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat

from srcnn.errors import CheckpointError
from srcnn.model.official_weights import load_official


def fields(f: tuple[int, int, int] = (3, 3, 5), n: tuple[int, int] = (2, 3)) -> dict[str, NDArray[np.float64]]:
    """Random kernels, hence asymmetric ones, in the layout of the released files."""
    rng = np.random.default_rng(5)
    return {
        "weights_conv1": rng.normal(size=(f[0] ** 2, n[0])),
        "weights_conv2": rng.normal(size=(n[0], f[1] ** 2, n[1])),
        "weights_conv3": rng.normal(size=(n[1], f[2] ** 2)),
        "biases_conv1": rng.normal(size=(n[0], 1)),
        "biases_conv2": rng.normal(size=(n[1], 1)),
        "biases_conv3": rng.normal(size=(1, 1)),
    }


def imfilter(image: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
    """MATLAB: ``imfilter(image, reshape(column, f, f), 'same', 'replicate')``, pixel by pixel."""
    f = round(len(column) ** 0.5)
    half, (height, width) = f // 2, image.shape
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            for k, weight in enumerate(column):
                row, col = k % f, k // f  # column-major
                yy = min(max(y + row - half, 0), height - 1)
                xx = min(max(x + col - half, 0), width - 1)
                out[y, x] += weight * image[yy, xx]
    return out


def srcnn_by_loops(image: NDArray[np.float64], f: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The three layers of the authors' SRCNN.m."""
    n1, n2 = f["weights_conv1"].shape[1], f["weights_conv3"].shape[0]
    first = [np.maximum(imfilter(image, f["weights_conv1"][:, i]) + f["biases_conv1"][i, 0], 0) for i in range(n1)]
    second = []
    for i in range(n2):
        total = sum((imfilter(first[j], f["weights_conv2"][j, :, i]) for j in range(n1)), np.zeros_like(image))
        second.append(np.maximum(total + f["biases_conv2"][i, 0], 0))
    out = np.full_like(image, f["biases_conv3"][0, 0])
    for i in range(n2):
        out += imfilter(second[i], f["weights_conv3"][i])
    return out


def write(path: Path, content: dict[str, Any]) -> Path:
    savemat(path, content)
    return path


@pytest.mark.parametrize(
    ("f", "n"), [((3, 3, 5), (2, 3)), ((5, 1, 3), (3, 2)), ((3, 1, 3), (2, 1)), ((3, 3, 3), (1, 1))], ids=str
)
def test_a_file_computes_what_the_authors_loops_compute(
    tmp_path: Path, f: tuple[int, int, int], n: tuple[int, int]
) -> None:
    content = fields(f, n)
    network = load_official(write(tmp_path / "x3.mat", content), 3)
    assert not network.training
    assert (network.config.kernels, network.config.filters, network.config.scale) == (f, n, 3)
    assert not network.config.residual
    image = np.random.default_rng(6).random((9, 7))
    with torch.inference_mode():
        found = network(torch.from_numpy(image).float()[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, srcnn_by_loops(image, content), rtol=2e-5, atol=2e-5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x3\.mat: no such file"):
        load_official(tmp_path / "x3.mat", 3)


@pytest.mark.parametrize(
    "content", [b"", b"text, not MATLAB\n" * 20, bytes(range(256)) * 4, b"MATLAB 7.3 MAT-file" + b" " * 500]
)
def test_what_is_no_mat_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x3.mat"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x3\.mat: ") as caught:
        load_official(path, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.99])
def test_a_file_that_breaks_off_is_named(tmp_path: Path, share: float, compressed: bool) -> None:
    path = tmp_path / "x3.mat"
    savemat(path, fields(), do_compression=compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"x3\.mat: "):
        load_official(path, 3)


@pytest.mark.parametrize("place", [200, 400, 700])
def test_a_damaged_compressed_file_is_named(tmp_path: Path, place: int) -> None:
    path = tmp_path / "x3.mat"
    savemat(path, fields(), do_compression=True)
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"x3\.mat: "):
        load_official(path, 3)


@pytest.mark.parametrize("name", sorted(fields()))
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    content: dict[str, Any] = fields()
    del content[name]
    with pytest.raises(CheckpointError, match=rf"x3\.mat: .*missing {name}$"):
        load_official(write(tmp_path / "x3.mat", content), 3)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("weights_conv1", (8, 2), "weights_conv1: the number of values, 8, must be a square"),
        ("weights_conv2", (2, 7, 3), "weights_conv2: the number of values, 7, must be a square"),
        ("weights_conv3", (3, 24), "weights_conv3: the number of values, 24, must be a square"),
        ("weights_conv2", (4, 9, 3), "shapes of the layers do not match"),
        ("weights_conv3", (2, 25), "shapes of the layers do not match"),
        ("weights_conv3", (3, 5, 5), "axes"),
        ("biases_conv2", (4, 1), "biases_conv2: 4 values for 3 filters"),
        ("weights_conv1", (16, 2), "kernels: .*odd"),
    ],
)
def test_fields_that_do_not_fit_are_named(tmp_path: Path, name: str, shape: tuple[int, ...], message: str) -> None:
    content: dict[str, Any] = {**fields(), name: np.zeros(shape)}
    with pytest.raises(CheckpointError, match=rf"x3\.mat: .*{message}"):
        load_official(write(tmp_path / "x3.mat", content), 3)


def test_a_field_that_is_no_number_is_named(tmp_path: Path) -> None:
    content: dict[str, Any] = {**fields(), "weights_conv1": "text"}
    with pytest.raises(CheckpointError, match=r"x3\.mat: "):
        load_official(write(tmp_path / "x3.mat", content), 3)


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content


def mat(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def test_what_inflates_to_gigabytes_is_not_inflated(tmp_path: Path) -> None:
    path = tmp_path / "x3.mat"
    path.write_bytes(mat(element(15, zlib.compress(bytes(100 << 20), 1))))
    with pytest.raises(CheckpointError, match=r"x3\.mat: not a MATLAB 5 file \(it must inflate to at most 32 MiB"):
        load_official(path, 3)
    path.write_bytes(bytes(9 << 20))
    with pytest.raises(CheckpointError, match="must have at most 8 MiB, but has 9 MiB"):
        load_official(path, 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1j])
def test_values_that_are_no_finite_numbers_are_named(tmp_path: Path, value: complex) -> None:
    content = fields()
    content["biases_conv2"] = content["biases_conv2"].astype(type(value))
    content["biases_conv2"][1, 0] = value
    with pytest.raises(CheckpointError, match="biases_conv2: every value must be a finite number"):
        load_official(write(tmp_path / "x3.mat", content), 3)


def test_other_variables_are_not_read(tmp_path: Path) -> None:
    content: dict[str, Any] = {**fields(), "more": np.zeros((2, 2)), "words": "text"}
    assert load_official(write(tmp_path / "x3.mat", content), 3).config.kernels == (3, 3, 5)


def big_endian(name: str, values: NDArray[np.float64]) -> bytes:
    """A matrix as a machine with the other order of bytes writes it, by the description of the format."""

    def part(kind: int, content: bytes) -> bytes:
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    shape = struct.pack(f">{values.ndim}i", *values.shape)
    return part(
        14,
        part(6, struct.pack(">II", 6, 0))
        + part(5, shape)
        + part(1, name.encode())
        + part(9, values.astype(">f8").tobytes(order="F")),
    )


def test_a_file_of_the_other_order_of_bytes_is_the_same(tmp_path: Path) -> None:
    content = fields()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    (tmp_path / "big.mat").write_bytes(head + b"".join(big_endian(name, values) for name, values in content.items()))
    little, big = load_official(write(tmp_path / "x3.mat", content), 3), load_official(tmp_path / "big.mat", 3)
    assert all(torch.equal(a, b) for a, b in zip(little.parameters(), big.parameters(), strict=True))


@pytest.mark.parametrize("compress", [False, True])
def test_changed_bytes_are_another_network_or_one_line(tmp_path: Path, compress: bool) -> None:
    """SciPy's reader ends the process by a segmentation fault on some of these."""
    path = tmp_path / "x3.mat"
    savemat(path, fields(), do_compression=compress)
    whole, source = path.read_bytes(), np.random.default_rng(0)
    read = 0
    for _ in range(400):
        content = bytearray(whole)
        for place in source.integers(124, len(content), 3):
            content[place] = int(source.integers(256))
        path.write_bytes(bytes(content))
        message = f"{path}: "
        try:
            load_official(path, 3)
            read += 1
        except CheckpointError as error:
            message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
    assert compress or read
