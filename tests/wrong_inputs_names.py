"""Wrong inputs: sizes, numbers, names, devices, images, and outputs that are no files."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from wrong_inputs import Case, two_sets

__all__ = ["CASES"]

LONG = "n" * 300  # a name may have 255 bytes
VERY_LONG = "n" * 5000  # a path may have 4096
SETS = ("--train", "{dir}/train", "--test", "{dir}/test")
SMALL = ("--kernels=3-3", "--filters=4", "--patch-size=24")
TRAIN = ("train", *SETS, "--out", "{dir}/run", "--epochs", "1")
SMALL_TRAIN = (*TRAIN, *SMALL)
BICUBIC = ("evaluate", "--model", "bicubic", "--scale", "3")
TESTED = (*BICUBIC, "--data", "{dir}/test")
SEARCH = ("search", "--space", "{dir}/space.yaml", *SETS, "--dry-run")
ABLATION = ("ablation", "--table", "filter_size", "--budget", "smoke")
DOCTOR = ("doctor", "--psnr=30", "--scale=3")
UPSCALE = ("upscale", "{dir}/test/one.png")
EXPORT = ("export", "--model", "champion", "--scale", "3")

SPACE = (
    "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
    "constants:\n  scale: 3\n  patch_size: 24\n"
)


def searched(folder: Path, constants: str = "") -> None:
    """Write two sets and a space with further constants."""
    two_sets(folder)
    (folder / "space.yaml").write_text(SPACE + "".join(f"  {line}\n" for line in constants.split(";") if line))


def with_space(text: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        two_sets(folder)
        (folder / "space.yaml").write_text(text)

    return prepare


def slug(text: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else " " for c in text).strip() or "odd"


def named(kind: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (name of the case, value): the values are told apart by their place, because their text may be of any kind."""
    return [(f"{kind} {place} {slug(value[:24])}".strip(), value) for place, value in enumerate(values)]


# Flags of a training, each with values that it must not have, and what is said about them.
TRAIN_VALUES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "--batch-size",
        ("0", "-1", "1e9", "1000000000", "1" + "0" * 18, "9" * 5000, "\u0663", "\u00b2", "", "8.5", "nan"),
        "batch_size: ",
    ),
    (
        "--batch-size",
        ("1000000", "500000"),
        r"batch_size: a step .* would take \S+ GiB, this machine has \S+ GiB.* at most \d+",
    ),
    ("--test-batch-size", ("0", "1" + "0" * 9, "\u0661"), "test_batch_size: "),
    ("--patch-size", ("0", "-5", "1000000000", "1" + "0" * 30, "\u0664\u0664", "x"), "patch_size: "),
    ("--patch-size", ("9999", "10000"), r"patch_size: a step .* would take \S+ GiB, this machine has"),
    ("--late-patch-size", ("0", "10", "1000000000", "\u0663"), "late_patch_size: "),
    ("--late-patch-size", ("9999",), r"late_patch_size: a step .* would take \S+ GiB, this machine has"),
    ("--stride", ("0", "-1", "1000000000000", "\u0661"), "stride: "),
    ("--reduced-copies", ("-1", "5", "1.5", "\u0661"), "reduced_copies: "),
    (
        "--filters",
        ("100000-32", "64-100000000", "9" * 40 + "-1", "0-32", "64", "64-\u0663\u0662", "64--32", "", "-"),
        "filters: ",
    ),
    ("--filters", ("4096-4096-1024",), r"filters: must have one|the network must have at most 32,000,000 weights"),
    (
        "--kernels",
        ("20001-1-5", "9-1-1000000001", "9", "8-1-5", "9-1-", "9-1-\u0665", "9-\u00b2-5", "", "0-0-0", "9,1;5"),
        "kernels: ",
    ),
    ("--kernels", ("-".join(["3"] * 1000), "-".join(["3"] * 101)), "kernels: must have at most 100 layers"),
    ("--weight-decay", ("-1", "1e5", "nan"), "weight_decay: "),
    ("--expansion", ("1", "17", "1000000000", "-1"), "expansion: "),
    ("--epochs", ("1000000000000", "0", "-3", "\u0663", "1.5"), "epochs: "),
    ("--learning-rate", ("0", "-1", "nan", "inf", "1e300", "\u0661", "1e-400"), "learning_rate: "),
    ("--layer-rates", ("-1", "1,1,1,1", "1e9", "\u0661", "a"), "layer_rates: "),
    ("--step-at", ("2", "0", ",".join(["0.5"] * 101), "\u0661"), "step_at: "),
    ("--cycles", ("0", "1000000", "\u0662"), "cycles: "),
    ("--cycle-growth", ("0.5", "1e300", "nan"), "cycle_growth: "),
    ("--warmup", ("1", "-0.1", "nan"), "warmup: "),
    ("--ema", ("0.9", "nan", "-1"), "ema: "),
    ("--clip", ("0", "1e300", "nan"), "clip: "),
    ("--init-std", ("0", "inf", "1e300"), "init_std: "),
    ("--momentum", ("1", "nan"), "momentum: "),
    ("--seed", ("-1", "1" + "0" * 30, "\u0661", "1e3"), "seed: "),
    ("--scale", ("5", "0", "1e9", "\u0663", ""), "scale: "),
    ("--charbonnier-epsilon", ("0", "1e300"), "charbonnier_epsilon: "),
    ("--threads", ("0", "-1", "1000000000", "1" + "0" * 30, "\u0661", "\u00b2", "", "2.5"), "--threads: must be "),
    ("--validation", ("-1", "1000000000", "\u0661", "4"), "validation"),
    (
        "--device",
        ("cpu:5", "cuda:99", "cuda:" + "9" * 30, "gpu", "CPU", "", "meta", "cuda:-1", "cuda:\u0661"),
        "device: ",
    ),
    ("--precision", ("fp64", ""), "precision: "),
    ("--preset", ("papr", "", LONG), "preset"),
    (
        "--start",
        (
            "x.bin",
            "champion:7",
            "~nobody-here/a.safetensors",
            "{dir}/none.safetensors",
            "{dir}/" + LONG + ".safetensors",
        ),
        "",
    ),
)

TRAIN_VALUES += (
    ("--start", ("champion:3",), "start: champion:3 must have a layer of the same shape as in 9-1-5 .64-32. at x3"),
)

# The same field twice in one line: a budget of pixels replaces that of epochs.
PIXELS = ("1e300", "0", "-1", "nan", "inf", "1e16", "8X", "\u0668M", "", "9" * 400, "1e99999999")


def train_cases() -> list[Case]:
    cases = []
    for flag, values, says in TRAIN_VALUES:
        for name, value in named(
            f"train {flag.strip('-')} of {says[-9:-2] if 'would' in says or 'must have' in says else 'a value'}", values
        ):
            cases.append(Case(name, (*TRAIN, f"{flag}={value}"), says, two_sets))
    without = ("train", *SETS, "--out", "{dir}/run", *SMALL)
    for name, value in named("train pixels", PIXELS):
        cases.append(Case(name, (*without, f"--pixels={value}"), "pixels: ", two_sets))
    for name, value in named("train epoch-pixels", PIXELS[:7]):
        cases.append(Case(name, (*without, "--pixels=1M", f"--epoch-pixels={value}"), "epoch_pixels: ", two_sets))
    cases += [
        Case(
            "train an epoch that no machine holds",
            (*without, "--pixels=1e15", "--epoch-pixels=1e15"),
            r"epoch_pixels: the places of the \S+ sub-images of an epoch would take \S+ GiB, this machine has",
            two_sets,
        ),
        Case("train epochs and pixels", (*TRAIN, "--pixels=1M"), "epochs: must not be combined", two_sets),
        Case(
            "train a batch beyond the grid",
            (*TRAIN, "--stride=10", "--patch-size=30", "--batch-size=1000"),
            "batch_size: must not exceed the number of sub-images",
            two_sets,
        ),
        Case(
            "train sub-images larger than images",
            (*TRAIN, "--patch-size=90"),
            "patch_size: an image must not be",
            two_sets,
        ),
        Case(
            "train late sub-images larger than images",
            (*TRAIN, "--patch-size=30", "--late-patch-size=900"),
            "late_patch_size: must not exceed",
            two_sets,
        ),
        Case(
            "train wide blocks in memory",
            (*TRAIN, "--expansion=16", "--filters=4096-800", "--kernels=3-3-3", "--batch-size=20000"),
            r"batch_size: a step .* would take \S+ GiB",
            two_sets,
        ),
        Case(
            "train a name that is no flag",
            (*TRAIN, "--batchsize=3"),
            "--batchsize: no such flag; did you mean",
            two_sets,
        ),
        Case("train a resume from nowhere", ("train", "--resume", "{dir}/none"), "none"),
        Case("train a resume from a file", ("train", "--resume", "{dir}/test/one.png"), "one.png", two_sets),
        Case("train a resume with a long name", ("train", "--resume", "{dir}/" + LONG), "File name too long|nnn"),
        Case("train an empty resume", ("train", "--resume", ""), "--resume: must not be empty"),
        Case(
            "train into an empty folder name",
            ("train", *SETS, "--epochs=1", "--out="),
            "--out: must not be empty",
            two_sets,
        ),
        Case("train on an empty name", (*TRAIN, "--train="), "--train: must not be empty", two_sets),
        Case("train tested on an empty name", (*TRAIN, "--test="), "--test: must not be empty", two_sets),
        Case("train with an empty data root", (*TRAIN, "--data-root="), "--data-root: must not be empty", two_sets),
        Case("train with a blank data root", (*TRAIN, "--data-root=  "), "--data-root: must not be empty", two_sets),
    ]
    return cases


#: Rules that the lines of many rows name: which one depends on the value.
TOO_LONG = r"File name too long|name is too long"
NO_SET = rf"data set .* does not exist|must appear once|no home folder|fetch it with|{TOO_LONG}"
NO_PLACE = r": must not be empty|: must be a (file in a )?folder|/(proc|sys)/.*(No such file|denied|not permitted)"
NO_MODEL = (
    r"--model(/--weights)?: (must|network .* does not exist|there is no home)|no such file|must be a regular file|"
    rf"there is no store|not a safetensors file|{TOO_LONG}"
)

#: Names of sets that must not be taken for one.
SET_NAMES = (
    LONG,
    VERY_LONG,
    "{dir}/" + LONG,
    "~nobody-here",
    "~nobody-here/x",
    "Set55",
    "T91+T91",
    "+",
    "T91+",
    "a\nb",
    "\udcff",
    ".." * 200,
)


def set_cases() -> list[Case]:
    cases = []
    for name, value in named("set", SET_NAMES):
        cases += [
            Case(f"evaluate a {name}", (*BICUBIC, "--data", value), NO_SET),
            Case(f"train on a {name}", ("train", "--train", value, "--epochs=1", "--out={dir}/run"), NO_SET),
            Case(f"data overlap of a {name}", ("data", "overlap", value), NO_SET),
        ]
    for name, value in named("set", SET_NAMES[:6]):
        cases += [
            Case(f"data verify of a {name}", ("data", "verify", value), NO_SET),
            Case(f"data fetch of a {name}", ("data", "fetch", value), NO_SET),
            Case(f"search on a {name}", (*SEARCH, "--train", value), NO_SET, searched),
            Case(
                f"champion tested on a {name}",
                ("champion", "{dir}/none.safetensors", "--out={dir}/c", "--test", value),
                "none.safetensors: no such file",
            ),
            Case(f"doctor with a {name}", ("doctor", "--psnr=30", "--scale=3", "--set", value), NO_SET),
        ]
    cases += [
        Case("evaluate an empty set", (*BICUBIC, "--data="), "--data: must not be empty"),
        Case("evaluate with an empty data root", (*TESTED, "--data-root="), "--data-root: must not be empty", two_sets),
        Case("evaluate with nobody's data root", (*BICUBIC, "--data=Set5", "--data-root=~nobody-here"), "nobody-here"),
        Case("evaluate with a long data root", (*BICUBIC, "--data=Set5", "--data-root=/" + VERY_LONG), "nnn"),
        Case(
            "evaluate with nobody's SRCNN_DATA",
            (*BICUBIC, "--data=Set5"),
            "SRCNN_DATA: there is no home folder for '~nobody-here'",
            environment={"SRCNN_DATA": "~nobody-here/data"},
        ),
        Case(
            "train with nobody's SRCNN_CACHE",
            TRAIN,
            "SRCNN_CACHE: there is no home folder for '~nobody-here'",
            two_sets,
            environment={"SRCNN_CACHE": "~nobody-here"},
        ),
        Case("evaluate a loop of links", (*BICUBIC, "--data={dir}/loop"), "loop", partial(loop, name="loop")),
        Case(
            "evaluate a file as a set",
            (*BICUBIC, "--data={dir}/test/one.png"),
            "is a file, but must be a folder",
            two_sets,
        ),
        Case(
            "evaluate a folder without images",
            (*BICUBIC, "--data={dir}/empty"),
            "contains no image",
            lambda f: (f / "empty").mkdir(),
        ),
        Case("data with an empty data root", ("data", "list", "--data-root="), "--data-root: must not be empty"),
        Case("data with nobody's data root", ("data", "list", "--data-root=~nobody-here"), "nobody-here"),
        Case("data verify in an empty data root", ("data", "verify", "--data-root="), "--data-root: must not be empty"),
        Case("data with no action", ("data",), "command|required|list"),
        Case("data with a wrong action", ("data", "lst"), "lst"),
        Case("data fetch without a name", ("data", "fetch"), "NAME"),
        Case("data fetch with an empty mirror", ("data", "fetch", "T91", "--mirror="), "--mirror: must not be empty"),
        Case("data fetch an empty name", ("data", "fetch", ""), "NAME: must not be empty"),
    ]
    return cases


def loop(folder: Path, name: str) -> None:
    """Two links that name each other, and two sets."""
    two_sets(folder)
    (folder / name).symlink_to(folder / "other")
    (folder / "other").symlink_to(folder / name)


def device_node(folder: Path, major: int = 1, minor: int = 7) -> None:
    """A character device in the scratch folder; 1, 7 is ``/dev/full``."""
    two_sets(folder)
    try:
        os.mknod(folder / "node", stat.S_IFCHR | 0o600, os.makedev(major, minor))
        with (folder / "node").open("wb", buffering=0):
            pass
    except PermissionError:
        pytest.skip("only root may make device nodes here")


def block_node(folder: Path) -> None:
    two_sets(folder)
    try:
        os.mknod(folder / "node", stat.S_IFBLK | 0o600, os.makedev(250, 250))
    except PermissionError:
        pytest.skip("only root may make device nodes here")


def pipe(folder: Path) -> None:
    two_sets(folder)
    os.mkfifo(folder / "node")


def dangling(folder: Path) -> None:
    two_sets(folder)
    (folder / "node").symlink_to(folder / "no folder" / "file")


def a_folder(folder: Path) -> None:
    two_sets(folder)
    (folder / "node").mkdir()


def socket_node(folder: Path) -> None:
    two_sets(folder)
    here = os.getcwd()
    os.chdir(folder)  # the name of a socket has 107 characters at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("node")
    finally:
        os.chdir(here)


#: What may lie where an output is to be written, and what is said then.
PLACES: tuple[tuple[str, Callable[[Path], object], str], ...] = (
    ("the full device", device_node, "No space left"),
    ("a block device", block_node, "must be a file"),
    ("a pipe that nobody reads", pipe, "pipe|FIFO"),
    ("a dangling link", dangling, "No such file|must be a file"),
    ("a folder", a_folder, "folder|director|must be a file"),
    ("a socket", socket_node, "must be a file"),
    ("a loop of links", partial(loop, name="node"), "Too many levels|loop"),
)
#: Outputs that are nowhere.
NOWHERE = (
    "",
    "{dir}/" + LONG,
    "{dir}/" + VERY_LONG,
    "{dir}/test/one.png/out",
    "/proc/none",
    "/sys/none",
    "/proc/self/none/none",
)


def output_cases() -> list[Case]:
    cases = []
    for name, prepare, says in PLACES:
        cases += [
            Case(f"evaluate json into {name}", (*TESTED, "--json={dir}/node"), says, prepare),
            Case(
                f"doctor json into {name}",
                ("doctor", "--psnr=36.5", "--set={dir}/test", "--scale=2", "--json={dir}/node"),
                says,
                prepare,
            ),
            Case(f"export over {name}", (*EXPORT, "--format=onnx", "--force", "--out={dir}/node"), says, prepare),
        ]
    for name, prepare, _ in PLACES:
        if name != "a folder":
            cases += [
                Case(f"train into {name}", ("train", *SETS, "--epochs=1", "--out={dir}/node"), "node", prepare),
                Case(f"upscale into {name}", (*UPSCALE, "--out={dir}/node"), "node", prepare),
            ]
    for name, value in named("nowhere", NOWHERE):
        cases += [
            Case(f"evaluate json {name}", (*TESTED, f"--json={value}"), NO_PLACE, two_sets),
            Case(f"export {name}", (*EXPORT, "--format=onnx", f"--out={value}"), NO_PLACE, two_sets),
            Case(
                f"train out {name}",
                ("train", *SETS, "--epochs=1", "--patch-size=24", f"--out={value}"),
                NO_PLACE,
                two_sets,
            ),
            Case(f"upscale out {name}", (*UPSCALE, f"--out={value}"), NO_PLACE, two_sets),
        ]
        if name.split()[-1] not in ("none",):
            cases.append(
                Case(
                    f"doctor json {name}",
                    ("doctor", "--psnr=36", "--scale=2", "--set={dir}/test", f"--json={value}"),
                    NO_PLACE,
                    two_sets,
                )
            )
    return cases


def odd_name(folder: Path) -> None:
    """A broken picture whose name is no UTF-8, and one whose name holds control characters."""
    two_sets(folder)
    (folder / "bad").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "bad") + b"/\xff\xfe.png")).write_bytes(b"not a picture")
    (folder / "bad" / "red\x1b[31m\n.png").write_bytes(b"not a picture")


def many_megapixels(width: int, height: int, folder: Path) -> None:
    """A picture whose header and data claim many pixels, all of one colour: a file of a few kilobytes."""
    from PIL import Image

    two_sets(folder)
    (folder / "large").mkdir()
    Image.new("1", (width, height)).save(folder / "large" / "large.png")


def large_and_space(width: int, height: int, folder: Path) -> None:
    many_megapixels(width, height, folder)
    (folder / "space.yaml").write_text(SPACE)


def many_pictures(folder: Path) -> None:
    """A thousand names for one picture of 39 megapixels."""
    many_megapixels(7800, 5000, folder)
    for i in range(1000):
        (folder / "large" / f"{i}.png").hardlink_to(folder / "large" / "large.png")


def image_cases() -> list[Case]:
    cases = []
    for megapixels, (width, height) in {41: (8200, 5000), 88: (11000, 8000), 169: (13000, 13000)}.items():
        prepare = partial(many_megapixels, width, height)
        says = rf"large\.png: .* {megapixels}(\.\d)? megapixels"
        cases += [
            Case(f"evaluate an image of {megapixels} megapixels", (*BICUBIC, "--data={dir}/large"), says, prepare),
            Case(f"train on an image of {megapixels} megapixels", (*TRAIN, "--train={dir}/large"), says, prepare),
            Case(f"train tested on an image of {megapixels} megapixels", (*TRAIN, "--test={dir}/large"), says, prepare),
            Case(
                f"search on an image of {megapixels} megapixels",
                (*SEARCH, "--train={dir}/large"),
                says,
                partial(large_and_space, width, height),
            ),
            Case(
                f"data overlap of an image of {megapixels} megapixels",
                ("data", "overlap", "{dir}/large"),
                says,
                prepare,
            ),
        ]
    says = r"images? of \d+ megapixels together|together"
    cases += [
        Case("evaluate a thousand large images", (*BICUBIC, "--data={dir}/large"), says, many_pictures),
        Case("doctor a thousand large images", (*DOCTOR, "--set={dir}/large"), says, many_pictures),
        Case(
            "doctor an image of 88 megapixels",
            (*DOCTOR, "--set={dir}/large"),
            r"large\.png: .* 88\.0 megapixels$",  # it has no flag that skips such a file
            partial(many_megapixels, 11000, 8000),
        ),
        Case("train on a thousand large images", (*TRAIN, "--train={dir}/large"), says, many_pictures),
        Case(
            "upscale more pixels than allowed",
            (*UPSCALE, "--scale=100", "--max-pixels=1M"),
            "more than --max-pixels",
            two_sets,
        ),
        Case(
            "upscale a photo beyond the limit",
            ("upscale", "{dir}/large/large.png", "--max-pixels=10M"),
            "large.png",
            partial(many_megapixels, 11000, 8000),
        ),
        Case("evaluate a broken file with an odd name", (*BICUBIC, "--data={dir}/bad"), r"not an image", odd_name),
        Case(
            "evaluate only broken files",
            (*BICUBIC, "--data={dir}/bad", "--skip-bad"),
            r"no file can be decoded, of 2",
            odd_name,
        ),
        Case("train on a broken file with an odd name", (*TRAIN, "--train={dir}/bad"), "not an image", odd_name),
    ]
    return cases


def own_table(config: str, folder: Path) -> None:
    (folder / "own.yaml").write_text(
        "title: t\nquestion: q\nsource: s\n"
        f"rows: [{{name: a, config: {{{config}}}}}, {{name: b, config: {{filters: 4-4}}}}]\n"
        "budgets: {smoke: {pixels: [1000.0], seeds: 1, sample: true}}\n"
    )


SEARCH_VALUES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("--trials", ("0", "-1", "1000000000000", "1e9", "\u0663", "", "9" * 5000), "trials: "),
    ("--budget", PIXELS, "budget: "),
    ("--confirm-budget", ("1e300", "0", "nan", "", "\u0668M"), "confirm_budget: "),
    (
        "--time-budget",
        ("0", "-1h", "1e9h", "\u0661h", "\u00b2", "nan", "", "1" + "0" * 400 + "h", "99999999h"),
        "time_budget: ",
    ),
    ("--best", ("0", "1000000000", "\u0663"), "best: "),
    ("--choice-seeds", ("0", "1000000000", "1e9"), "choice_seeds: "),
    ("--confirm-seeds", ("1", "1000000000", "\u0663"), "confirm_seeds: "),
    ("--ladder", ("1", "5,9", "\u0669,\u0665", "1000000000", "9,8,7,6,5", "", "9;5", "nan"), "ladder: "),
    ("--max-concurrent", ("0", "1000000000", "\u0661"), "max_concurrent: "),
    ("--cpus-per-trial", ("0", "1000000000", "100000", "1024", "\u0661"), "cpus_per_trial: "),
    ("--gpus-per-trial", ("-1", "1.5", "1e9", "nan", "two", "inf"), "gpus_per_trial"),
    ("--stall-limit", ("0", "1e300", "nan", "\u0661"), "stall_limit: "),
    ("--seed", ("-1", "1e9", "99999999999", "\u0661"), "seed: "),
    ("--scale", ("5", "\u0663", "", "2,,3", "3;4"), "scale"),
    ("--max-parameters", ("0", "nan", "-1", "1"), "max_parameters"),
    ("--validation", ("0", "1000000000", "4"), "validation"),
    ("--judging", ("-1", "1000000000", "4"), "judging"),
    ("--name", ("", LONG, "../x", "a/b", "-x", "\u00e4", "a b", "x" * 101), "name: "),
    ("--storage", ("", "~nobody-here/x", "s3://bucket/x", "{dir}/" + LONG), "storage: |--storage: must|" + TOO_LONG),
    ("--tracking-uri", ("",), "tracking_uri: "),
    ("--data-root", ("", "  "), "data_root: "),
    ("--test", ("", "sample/test,,", ","), "test: "),
    ("--learn-from", ("", "a,,b", "all,a"), "learn_from: "),
    ("--enqueue", ("", "paper,,", "{dir}/none.yaml", LONG), "enqueue: |" + TOO_LONG),
    (
        "--space",
        ("", "{dir}/none.yaml", "{dir}", "{dir}/" + LONG, VERY_LONG, "~nobody-here/x.yaml"),
        r"space: string should|cannot be read|must be a regular file|name: string should",
    ),
    ("--sampler", ("", "tpee", LONG), "sampler"),
    ("--scheduler", ("", "ashaa"), "scheduler"),
    ("--objectives", ("", "macs", "gain,gain", "gain,size"), "objective"),
    ("--resume", ("none", LONG, "../x"), "resume: "),
)

#: Constants of a space that ask for too much.
CONSTANTS = (
    ("batch_size: 1000000000", "batch_size"),
    ("batch_size: 1000000", r"batch_size: a step .* would take \S+ GiB"),
    ("filters: [100000, 32]", "filters"),
    ("filters: [4096, 4096, 1024]; kernels: [9, 1, 3, 5]", "weights"),
    ("kernels: [20001, 1, 5]", "kernels"),
    ("patch_size: 9999; padding: zeros", "patch_size"),
    ("late_patch_size: 9999", r"late_patch_size"),
    ("expansion: 1000", "expansion"),
)


def search_cases() -> list[Case]:
    cases = []
    for flag, values, says in SEARCH_VALUES:
        for name, value in named(f"search {flag.strip('-')}", values):
            cases.append(Case(name, (*SEARCH, f"{flag}={value}"), says, searched))
    for place, (text, says) in enumerate(CONSTANTS):
        lines = SPACE if "patch_size: 9999;" not in text else SPACE.replace("  patch_size: 24\n", "")
        constants = "".join(f"  {line.strip()}\n" for line in text.split(";"))
        cases.append(Case(f"search a space {place} with {slug(text)}", SEARCH, says, with_space(lines + constants)))
    cases += [
        Case(
            "search a batch without end",
            SEARCH,
            r"batch_size",
            with_space(
                "parameters:\n  batch_size: {type: int, low: 1, high: 1000000000000}\nconstants:\n  scale: 3\n  patch_size: 24\n"
            ),
        ),
        Case(
            "search from a network without a common layer",
            SEARCH,
            "start: champion:3 must have a layer of the same shape as in .*; none of 500 random configurations of .* has one",
            partial(searched, constants="kernels: 3-3;filters: '8';start: 'champion:3'"),
        ),
        Case(
            "search best times seeds",
            (*SEARCH, "--best=1000", "--choice-seeds=500"),
            "best: best \\* \\(choice_seeds",
            searched,
        ),
    ]
    return cases


ABLATION_VALUES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("--seeds", ("1000000000", "1e9", "0", "-1", "\u0663", "1001"), "seeds: "),
    ("--cpus-per-trial", ("0", "1000000000", "\u0661"), "cpus_per_trial: "),
    ("--max-concurrent", ("0", "1000000000"), "max_concurrent: "),
    ("--gpus-per-trial", ("-1", "1e9", "nan"), "gpus_per_trial: "),
    ("--stall-limit", ("0", "1e300"), "stall_limit: "),
    ("--budget", ("", "cpus", LONG), "budget"),
    (
        "--table",
        ("", "none", LONG, VERY_LONG, "{dir}", "~nobody-here/a.yaml"),
        r"table: string should|table .* does not exist; there are|must be a regular file|" + TOO_LONG,
    ),
    ("--name", ("", LONG, "../x", "a/b"), "name: "),
    ("--storage", ("",), "storage: "),
    ("--tracking-uri", ("",), "tracking_uri: "),
    ("--data-root", ("",), "data_root: "),
)

OTHER_VALUES: tuple[tuple[tuple[str, ...], str, tuple[str, ...], str], ...] = (
    (UPSCALE, "--scale", ("0", "1e300", "nan", "inf", "-2", "\u0663", "", "101", "x"), "--scale: must be"),
    (UPSCALE, "--size", ("0x0", "1x", "99999999x1", "\u0663x\u0663", "", "1" * 400 + "x1"), "--size: must be"),
    (UPSCALE, "--quality", ("0", "101", "\u0663", "", "1e9"), "--quality: must be"),
    (UPSCALE, "--max-pixels", ("0", "-1", "nan", "\u0661G", "1e300x", ""), "--max-pixels: "),
    (UPSCALE, "--threads", ("0", "1000000000", "\u0661"), "--threads: must be"),
    (UPSCALE, "--background", ("", "#12", "#\u0661\u0661\u0661\u0661\u0661\u0661", LONG), "--background: "),
    (UPSCALE, "--format", ("", "gif", LONG), "--format: "),
    (
        UPSCALE,
        "--model",
        (
            "",
            "champ",
            LONG,
            "~nobody-here/x.safetensors",
            "official:1-1-1",
            "{dir}/none.mat",
            "{dir}/" + LONG + ".safetensors",
        ),
        NO_MODEL,
    ),
    (UPSCALE, "--data-root", ("",), "--data-root: must not be empty"),
    (TESTED, "--scale", ("1", "5", "\u0663", "", "1e9"), "--scale"),
    (TESTED, "--threads", ("0", "1000000000", "\u0661", "\u00b2"), "--threads: must be"),
    (TESTED, "--device", ("cpu:5", "cuda:7", "gpu", ""), "device: "),
    (
        TESTED,
        "--model",
        (
            "",
            "champ",
            LONG,
            VERY_LONG,
            "~nobody-here/x",
            "a/\udcff.safetensors",
            "0" * 32,
            "{dir}",
            "{dir}/test/one.png",
        ),
        NO_MODEL,
    ),
    (EXPORT, "--out", ("{dir}/x", "{dir}/x.txt"), "--out: must end with"),
    ((*EXPORT, "--out={dir}/x.onnx"), "--scale", ("5", "\u0663", ""), "--scale"),
    ((*EXPORT, "--out={dir}/x.onnx"), "--model", ("", "bicubic", "champ", LONG, "~nobody-here/x"), NO_MODEL),
    ((*EXPORT, "--out={dir}/x.onnx"), "--format", ("", "tflite"), "--format"),
    (
        ("doctor", "--set={dir}/test", "--scale=2"),
        "--psnr",
        ("", "nan", "0", "-3", "1e9", "\u0663\u0663", "x", "9" * 5000),
        "--psnr: must",
    ),
    (("doctor", "--psnr=30", "--set={dir}/test"), "--scale", ("5", "\u0663", ""), "--scale: must"),
    (
        ("doctor", "--psnr=30", "--set={dir}/test", "--scale=2"),
        "--images",
        ("", "{dir}/none", "{dir}/" + LONG, "{dir}/train"),
        "--images: |no such folder|" + TOO_LONG,
    ),
    (("doctor",), "--tracking-uri", ("",), "--tracking-uri: must not be empty"),
    (("doctor",), "--storage", ("",), "--storage: must not be empty"),
    (("watch",), "--port", ("-1", "65536", "1e9", "\u0661", ""), "--port: must be"),
    (
        ("watch",),
        "--storage",
        ("", "~nobody-here", "{dir}/" + LONG, "{dir}/none"),
        "storage: |--storage: must|" + TOO_LONG,
    ),
    (("report",), "--out", ("",), "--out: must not be empty"),
    (("report",), "--tracking-uri", ("",), "--tracking-uri: must not be empty"),
    (("report",), "--ui", ("", "ftp://x", "javascript:alert(1)"), "--ui: must begin"),
    (("runs", "list"), "--tracking-uri", ("",), "tracking-uri"),
    (("runs", "verify", "none"), "--storage", ("",), "storage"),
    (
        ("champion", "{dir}/none.safetensors", "--out={dir}/c"),
        "--threads",
        ("0", "1000000000", "\u0661"),
        "--threads: must be",
    ),
    (("champion", "{dir}/none.safetensors", "--out={dir}/c"), "--scale", ("7", "\u0663", ""), "--scale: must be"),
    (
        ("champion", "{dir}/none.safetensors"),
        "--out",
        ("", "{dir}/test/one.png", "{dir}/test/one.png/x"),
        "--out: must",
    ),
    (("champion", "--out={dir}/c"), "--test", ("",), "--test: must not be empty|FROM"),
)


def other_cases() -> list[Case]:
    cases = []
    for flag, values, says in ABLATION_VALUES:
        for name, value in named(f"ablation {flag.strip('-')}", values):
            cases.append(Case(name, (*ABLATION, f"{flag}={value}"), says))
    for command, flag, values, says in OTHER_VALUES:
        for name, value in named(f"{command[0]} {flag.strip('-')}", values):
            cases.append(Case(name, (*command, f"{flag}={value}"), says, two_sets))
    return cases


#: Rows of a table that ask for too much.
ROWS = (
    ("batch_size: 1000000", r"batch_size: a step .* would take \S+ GiB, this machine has"),
    ("batch_size: 1000000000", "batch_size: "),
    ("filters: 100000-1", "filters: every number must be at most 4096"),
    ("kernels: 20001-1-5", "kernels: every size must be at most 99"),
    ("expansion: 1000", "expansion: "),
    (
        "kernels: 3-3, filters: '8', start: 'champion:3'",
        "rows: 'a' .*start: champion:3 must have a layer of the same shape",
    ),
)

PLAIN = [
    *(
        Case(
            f"ablation a row {place} with {slug(text)}",
            ("ablation", "--table={dir}/own.yaml", "--budget=smoke"),
            says,
            partial(own_table, text),
        )
        for place, (text, says) in enumerate(ROWS)
    ),
    Case("upscale nothing there", ("upscale", "{dir}/none.png"), "none.png"),
    Case("upscale an empty name", ("upscale", ""), "must not be empty"),
    Case("upscale a long name", ("upscale", "{dir}/" + LONG + ".png"), "nnn"),
    Case("upscale a loop of links", ("upscale", "{dir}/loop.png"), "loop", partial(loop, name="loop.png")),
    Case("upscale a pipe", ("upscale", "{dir}/node"), "node", pipe),
    Case("upscale a folder beside itself", ("upscale", "{dir}/test"), "--out", two_sets),
    Case(
        "upscale a size and a scale", (*UPSCALE, "--size=9x9", "--scale=2"), "--size: must be given without", two_sets
    ),
    Case("doctor an unknown flag", ("doctor", "--ful"), "--ful: no such flag"),
    Case("doctor a set without a figure", ("doctor", "--set=Set5"), "--set: must be given with --psnr"),
    Case("doctor a figure without a set", ("doctor", "--psnr=30"), "--set: must be given"),
    Case("runs an unknown action", ("runs", "lst"), "lst"),
    Case("runs with nothing to do", ("runs",), "command: must be list, verify or repair"),
    Case("runs with two things to do", ("runs", "list", "--why=x"), "but got both"),
    Case("runs without a store", ("runs", "list"), "there is no store"),
    Case("runs a long name", ("runs", "verify", LONG), "search: there is none yet"),
    Case("runs an empty trial", ("runs", "--why="), "--why: must not be empty"),
    Case("report an unknown search", ("report", "none"), "there is no store"),
    Case("report a long name", ("report", VERY_LONG), "there is no store"),
    Case("watch an unknown search", ("watch", "none"), "there is no search"),
    Case("watch a long name", ("watch", VERY_LONG), "there is no search"),
    Case("champion of an empty name", ("champion", "", "--out={dir}/c"), "must not be empty"),
    Case("champion of a long name", ("champion", LONG, "--out={dir}/c"), TOO_LONG),
    Case("champion of nobody's file", ("champion", "~nobody-here/x", "--out={dir}/c"), "nobody-here"),
    Case("champion without a folder", ("champion", "none"), "--out"),
    Case("ablation without a table", ("ablation",), "--table: must be given"),
    Case("ablation all tables with a name", ("ablation", "--table=all", "--name=x"), "--name: must not be combined"),
    Case("search quiet and verbose", (*SEARCH, "-q", "-v"), "not allowed with", searched),
    Case("a command that is none", ("serch",), "did you mean search"),
    Case("a command with control characters", ("\x1b[31m",), "no such command"),
    Case("a flag of no command", ("--verson",), "did you mean --version"),
]

CASES = [
    *train_cases(),
    *set_cases(),
    *output_cases(),
    *image_cases(),
    *search_cases(),
    *other_cases(),
    *PLAIN,
]
