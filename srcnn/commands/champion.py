"""Make the weights and the card of a network that is shipped with the package, from a search, a run or a file.

    python experiments/champion.py SEARCH --out srcnn/champions
    python experiments/champion.py RUN_ID --out srcnn/champions
    python experiments/champion.py mlruns/train/default-x3-20260101-120000 --out srcnn/champions
    python experiments/champion.py network.safetensors --out srcnn/champions

SEARCH is the name of a search with a confirmation, whose winner is registered in MLflow, for each of its scales or for --scale.
RUN_ID is a trial's run in MLflow; a folder is one that experiments/train.py wrote. The network is measured on the test sets here,
once, after it was chosen elsewhere: make a card for one network of a scale, not for several to choose among. The cards and
docs/models.md say what the figures mean.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic import BaseModel

from srcnn.champions.card import Card, Origin, TrainingSet
from srcnn.champions.make import Candidate, make_champion
from srcnn.champions.shipped import LARGEST_SIZE, SIZES
from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text, threads, whole
from srcnn.commands.main import need_platform
from srcnn.commands.models import TRACKING_URI
from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.errors import CheckpointError, ConfigError, DataError
from srcnn.model.weights_file import load_network, read_header
from srcnn.overlap.leaks import Leak, leaks
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.folders import check_folder, typed_path

__all__ = ["main"]

_TESTS = "Set5,Set14,BSDS300/test"
_NOT_KNOWN = "not known"
#: Settings of a search that do not change its result.
_PLACES = ("name", "tracking_uri", "storage", "address", "data_root", "stall_limit", "max_concurrent")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "source", type=text, metavar="FROM", help="search, run in MLflow, folder of a training, or weights file"
    )
    parser.add_argument(
        "--scale", type=whole(2, 4), metavar="{2,3,4}", help="only this scale (default: every scale that FROM has)"
    )
    parser.add_argument(
        "--size",
        choices=list(SIZES),
        default=LARGEST_SIZE,
        help="make one of the smaller networks: "
        + ", ".join(f"{name} has at most {most}" for name, most in SIZES.items() if name != LARGEST_SIZE)
        + f" weights and biases (default: {LARGEST_SIZE}, the large one)",
    )
    parser.add_argument(
        "--allow-artefacts",
        action="store_true",
        help="also a network that is far behind bicubic on a drawn pattern of full contrast (default: it is refused)",
    )
    parser.add_argument("--out", type=path, required=True, metavar="FOLDER", help="folder for weights and cards")
    parser.add_argument(
        "--test", type=text, default=_TESTS, metavar="NAMES", help=f"test sets, with commas (default: {_TESTS})"
    )
    parser.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the sets (default: $SRCNN_DATA, else ./data)"
    )
    parser.add_argument(
        "--tracking-uri", type=text, default=TRACKING_URI, metavar="URI", help=f"MLflow store (default: {TRACKING_URI})"
    )
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="CPU threads (default: 1)")
    return parser


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    out: Path = options.out
    check_folder(out, "--out")
    candidates = _candidates(options.source, options.scale, options.tracking_uri)
    root = data_root(options.data_root)
    tests = [load(name, root) for name in options.test.split(",")]
    for candidate in candidates:
        candidate = _completed(candidate, options, tests, root)
        _show(make_champion(candidate, tests, out, _machine(), options.size, sound=not options.allow_artefacts))
    return 0


def _show(card: Card) -> None:
    print(f"{card.file}: x{card.scale} {card.configuration.name}, {card.parameters} parameters, {card.size} bytes")
    for one in card.scores:
        print(
            f"  {one.name}: {one.psnr:.4f} dB, SSIM {one.ssim:.4f} (bicubic {one.bicubic_psnr:.4f} dB, {one.bicubic_ssim:.4f})"
        )
    for line in card.origin.overlap:
        print(f"  trained on a test image: {line}")


def _completed(candidate: Candidate, options: argparse.Namespace, tests: list[ImageSet], root: Path) -> Candidate:
    """Add what this command knows: itself, and training images that show an image of the test sets."""
    origin = candidate.origin
    own = f"python experiments/champion.py {options.source} --scale {candidate.config.scale} --out {options.out}"
    own += " --allow-artefacts" if options.allow_artefacts else ""
    own += "" if options.size == LARGEST_SIZE else f" --size {options.size}"
    name = origin.training.name.removesuffix("[train]")
    found: tuple[Leak, ...] = ()
    if name != _NOT_KNOWN:
        try:
            found = leaks(load(name, root), tests, "test")
        except DataError as error:
            raise DataError(f"training set {name}, needed to look for test images in it: {error}") from None
    out = {line.partition(" shows ")[0] for line in origin.left_out}
    overlap = tuple(str(leak) for leak in found if leak.image not in out)
    origin = origin.replace(commands=(*origin.commands, own), overlap=overlap)
    return Candidate(candidate.network, candidate.config, candidate.pixels, origin)


def _candidates(source: str, scale: int | None, uri: str) -> list[Candidate]:
    path = typed_path(source, "FROM")
    if path.is_dir():
        found = [_of_folder(path)]
    elif path.is_file() or path.suffix == ".safetensors":
        found = [_of_file(path, Origin(training=TrainingSet(name=_NOT_KNOWN, digest="")))]
    else:
        found = _of_store(source, scale, uri)
    scales = [candidate.config.scale for candidate in found]
    if scale is not None and scale not in scales:
        raise ConfigError(f"--scale: must be {' or '.join(map(str, scales))} for {source}, but got {scale}")
    return [candidate for candidate in found if scale in (None, candidate.config.scale)]


def _of_file(path: Path, origin: Origin) -> Candidate:
    network, fields = load_network(path), read_header(path)["config"]
    whole = not set(fields) <= set(ModelConfig.model_fields)  # else only the network is known
    config = TrainConfig(**fields) if whole else TrainConfig(**_network_fields(network.config))
    return Candidate(network, config, config.pixels, origin)


def _network_fields(config: ModelConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in ModelConfig.model_fields}


def _of_folder(folder: Path) -> Candidate:
    """Return the network of a folder written by ``experiments/train.py``."""
    records = []
    for name in ("run.json", "result.json"):
        try:
            records.append(parse_json(read_text(folder / name)))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{folder / name}: not a finished training of experiments/train.py ({error})"
            ) from None
    job, result = records
    file = folder / "network.safetensors"
    config = TrainConfig(**read_header(file)["config"])
    flags = [f"--train {job['train']}", f"--test {job['test']}", *_flags(config, TrainConfig)]
    origin = Origin(
        commands=(f"python experiments/train.py {' '.join(flags)}",),
        training=TrainingSet(name=job["train"], digest=job["digest"]),
        left_out=tuple(str(Leak(**leak)) for leak in result["left_out"]),
        seeds=(config.seed,),
        commit=job.get("commit", ""),  # not in folders of earlier versions
        versions=job.get("versions", {}),
    )
    return _of_file(file, origin)


def _of_store(source: str, scale: int | None, uri: str) -> list[Candidate]:
    """Return the network of a run, or the registered winners of a search."""
    need_platform(source)
    from srcnn.tuning.tracking import names
    from srcnn.tuning.tracking.reader import artifact_file, children_of, open_store, parent_named, parent_runs, reading

    client = open_store(uri)
    with reading(uri), TemporaryDirectory() as folder:
        parents = parent_runs(client)
        runs: dict[str, str] = {}  # judging gain by run
        if len(source) == 32 and all(letter in "0123456789abcdef" for letter in source):
            runs[source] = ""
        else:
            search = parent_named(parents, source, uri).data.tags[names.TAG_SEARCH]
            for one in (2, 3, 4) if scale is None else (scale,):
                query = f"name='{names.registered_model(one)}' and tags.`{names.MODEL_SEARCH}` = '{search}'"
                for version in client.search_model_versions(query)[:1]:  # the newest comes first
                    runs[str(version.run_id)] = version.tags.get(names.MODEL_JUDGING_GAIN, "")
            if not runs:
                at = "" if scale is None else f" at x{scale}"
                raise ConfigError(
                    f"{source}: has no winner in the registry of {uri}{at}, because it had no confirmation or it did not end; "
                    "the id of one of its runs can be given instead"
                )
        found = []
        for run_id, gain in runs.items():
            run = client.get_run(run_id)
            parent = next((p for p in parents if p.info.run_id == run.data.tags.get(names.TAG_PARENT_RUN)), None)
            file = artifact_file(client, run_id, names.ARTIFACT_NETWORK, Path(folder) / run_id)
            if parent is None or file is None:
                raise ConfigError(f"{source}: run {run_id} is not that of a trial with a network")
            alike = [run, *(c for c in children_of(client, parent) if _same(c.data, run.data))]
            found.append(_of_file(file, _origin(run.data.tags, parent.data, alike, gain)))
    return found


def _same(one: Any, other: Any) -> bool:
    """Return whether two runs are trainings of the same configuration with the same budget, from different seeds."""
    from srcnn.tuning.tracking import names
    from srcnn.tuning.trials.outcome import Outcome

    # Configurations that differ in their loss alone have the same name.
    fields, others = ({**each.params, names.PARAM_SEED: ""} for each in (one, other))
    return bool(
        one.tags.get(names.TAG_CONFIGURATION) == other.tags.get(names.TAG_CONFIGURATION)
        and fields == others
        and one.params.get(names.PARAM_SEED) != other.params.get(names.PARAM_SEED)
        and one.tags.get(names.TAG_OUTCOME) == Outcome.FINISHED
    )


def _origin(tags: Mapping[str, str], parent: Any, alike: list[Any], gain: str) -> Origin:
    from srcnn.overlap.leaks import read_tags
    from srcnn.tuning.planning.settings import SearchSettings
    from srcnn.tuning.tracking import names

    params = {name: text for name, text in parent.params.items() if name not in _PLACES}
    defaults = {name: names.param_text(field.default) for name, field in SearchSettings.model_fields.items()}
    given = [
        f"--{name.replace('_', '-')} {_value(text)}" for name, text in params.items() if text != defaults.get(name)
    ]
    seeds = [alike[0], *sorted(alike[1:], key=lambda other: int(other.data.params[names.PARAM_SEED]))]
    return Origin(
        commands=(f"python experiments/search.py {' '.join(given)}",),
        search=parent.tags[names.TAG_SEARCH],
        training=TrainingSet(name=tags[names.TAG_TRAIN_SET], digest=tags[names.TAG_TRAIN_DIGEST]),
        validation=tuple(tags[names.TAG_VALIDATION].split(", ")),
        judging=tuple(filter(None, parent.tags.get(names.TAG_JUDGING, "").split(", "))),
        left_out=tuple(map(str, read_tags(tags)[0])),
        seeds=tuple(dict.fromkeys(int(other.data.params[names.PARAM_SEED]) for other in seeds)),
        gain=gain,
        commit=tags.get(names.TAG_COMMIT, ""),
        versions=names.versions(tags),
    )


def _value(text: str) -> str:
    """Return the text of a parameter in MLflow as a value on the command line."""
    if text.startswith("["):
        return ",".join(map(str, json.loads(text)))
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number / 1e6:g}M" if number >= 1e6 and number % 1e4 == 0 else text


def _flags(config: BaseModel, kind: type[BaseModel]) -> list[str]:
    """Return the flags of the fields that differ from their defaults."""
    flags = []
    for name, field in kind.model_fields.items():
        value = getattr(config, name)
        if value == field.default:
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            flags.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            flags.append(f"{flag} {('-' if all(isinstance(v, int) for v in value) else ',').join(map(str, value))}")
        else:
            flags.append(f"{flag} {_value(str(value))}")
    return flags


def _machine() -> str:
    """Return the name of the processor, with the number of its cores."""
    from srcnn.tuning.tracking.provenance import processor

    return processor()


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; --out has the cards that were printed")
