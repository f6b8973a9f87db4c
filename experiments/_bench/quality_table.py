"""Tables of the section ``quality``, from its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _bench.record import Bench

__all__ = ["show"]


def show(bench: Bench, result: Mapping[str, Any]) -> None:
    """Print times to PSNRs, variation over seeds, and bf16 compared with fp32."""
    unit = "core-seconds" if bench.device == "cpu" else "seconds"
    rows = []
    plain = result.get("plain")
    for one in result["goals"]:
        for goal in one["goals"]:
            cells = [one["kernels"], f"{goal['psnr']:.2f}"]
            if goal["pixels"]["n"] < goal["tried"]:
                cells += [f"not with {one['longest'] / 1e6:g}M in {goal['tried'] - goal['pixels']['n']}", "", "", ""]
            else:
                seconds = goal["train_seconds"]
                cells += [f"{goal['pixels']['median'] / 1e6:g}M", _range(seconds, 1)]
                cells.append(f"{goal['validation_seconds']['median']:.1f}")
                cells.append(_against(plain, one["kernels"], goal["psnr"], seconds["median"]))
            rows.append(cells)
    heads = ["kernels", f"{result['test']} dB", "budget, pixels", unit, "+ validation", "plain loop"]
    training, validation = result["images"]
    tried = max((goal["tried"] for one in result["goals"] for goal in one["goals"]), default=0)
    ladder: list[float] = max((one["ladder"] for one in result["goals"]), key=len, default=[])
    notes = [
        "the shortest budget of a ladder whose whole run ends at or above the PSNR, and what that run takes; "
        f"median [smallest..largest] of {tried} seed(s)",
        f"the ladder, in million pixels: {' '.join(f'{pixels / 1e6:g}' for pixels in ladder)}",
        f"trained on {result['training']} ({training} images), {validation} more validate, nine times a run; "
        f"bicubic: {result['bicubic']['test_psnr']:.2f} dB",
    ]
    bench.table(f"time to a PSNR on {result['test']} at x{result['scale']}", heads, rows, notes)
    rows = []
    for one in result["seeds"]:
        cells = [one["kernels"], f"{one['test_psnr']['n']} of {one['test_psnr']['n'] + one['failed']}"]
        for name in ("test_psnr", "val_psnr"):
            found = one[name]
            cells.append(f"{found['mean']:.3f} ± {found['deviation']:.3f} {_range(found, 2)}" if found["n"] else "")
        rows.append([*cells, _range(one["train_seconds"], 1)])
    heads = ["kernels", "lived", f"{result['test']} dB: mean ± deviation, median", "validation dB", unit]
    bench.table(f"seeds, default settings, {result['final_pixels'] / 1e6:g} million pixels", heads, rows, [])
    rows = [
        [one["kernels"], *(f"{one[n]['mean']:+.4f} {_range(one[n], 4)}" for n in ("test_psnr", "val_psnr"))]
        for one in result["precision"]
        if one["test_psnr"]["n"]
    ]
    heads = ["kernels", f"{result['test']} dB: mean, median", "validation dB"]
    bench.table(f"bf16 minus fp32 at equal steps, {result['final_pixels'] / 1e6:g} million pixels", heads, rows, [])


def _against(plain: Mapping[str, Any] | None, kernels: str, goal: float, seconds: float) -> str:
    """Return the time of the plain loop to the same PSNR, and its ratio to ours."""
    if plain is None or (kernels, goal) != (plain["kernels"], plain["goal"]):
        return ""
    took = plain["curve"][-1][0]
    return f"{'' if plain['reached'] else 'more than '}{took:.0f} s, {took / seconds:.0f}x"


def _range(found: Mapping[str, float], digits: int) -> str:
    if not found["n"]:
        return ""
    return f"{found['median']:.{digits}f} [{found['min']:.{digits}f}..{found['max']:.{digits}f}]"
