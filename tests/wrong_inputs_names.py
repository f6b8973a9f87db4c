"""Wrong inputs: sizes, names, and outputs that are no files."""

from __future__ import annotations

from wrong_inputs import Case

__all__ = ["CASES"]

LONG = "n" * 300  # a name may have 255 bytes

CASES = [
    Case("train odd kernels only", ("train", "--kernels", "8-1-5"), "kernels: every size must be odd"),
    Case("train a digit that is no number", ("train", "--kernels", "9-²-5"), "kernels: must be whole numbers"),
    Case("evaluate an unknown set", ("evaluate", "--model", "bicubic", "--data", "Set55", "--scale", "3"), "Set5"),
    Case("search an unknown space", ("search", "--space", "{dir}/none.yaml"), "none.yaml"),
    Case("ablation an unknown table", ("ablation", "--table", "none"), "none"),
    Case("data an unknown set", ("data", "verify", "Set55"), "Set5"),
    Case("upscale nothing there", ("upscale", "{dir}/none.png", "--out", "{dir}/big.png"), "none.png"),
    Case("export an unknown model", ("export", "--model", "none", "--out", "{dir}/a.onnx"), "none"),
    Case("doctor an unknown flag", ("doctor", "--ful"), "--ful: no such flag"),
    Case("runs an unknown action", ("runs", "lst"), "lst"),
    Case("report an unknown search", ("report", "none"), "there is no store"),
    Case("watch an unknown search", ("watch", "none"), "there is no search"),
    Case("champion an unknown scale", ("champion", "--scale", "7"), "7"),
]
