"""The section of a table's report about its claims."""

from __future__ import annotations

from dataclasses import replace

from srcnn.tuning.paper.claims import Verdict, judge
from srcnn.tuning.report.data.table_data import TableData
from srcnn.tuning.report.document.document import Table
from srcnn.tuning.report.sections.table_claims import CLAIMS, HOW_TESTED, claims_parts, sentence

from report_parts import table_data, trained

RUNS = [trained(row, seed, 32.0 + 0.2 * seed + (row == "9-3-5")) for row in ("9-1-5", "9-3-5") for seed in (0, 1)]


def with_claim(data: TableData) -> TableData:
    claim = {"text": "deeper is better", "kind": "order", "rows": ["9-3-5", "9-1-5"]}
    return replace(data, table=data.table.replace(claims=[claim]))


def rows(data: TableData, name: str) -> list[list[str]]:
    (found,) = (part for part in claims_parts(data) if isinstance(part, Table) and part.name == f"kernels-cpu{name}")
    return [[cell.text for cell in row] for row in found.rows]


def verdict(evidence: str, said: str = "holds", general: bool | None = None, seeds: int = 5) -> Verdict:
    (claim,) = with_claim(table_data(RUNS)).table.claims
    return Verdict(claim, "ours", said, evidence, None, general, seeds)


def test_claims_have_a_verdict_and_what_varies() -> None:
    data = with_claim(table_data(RUNS))
    (claim,) = rows(data, CLAIMS)
    assert claim[:2] == ["deeper is better", "not enough seeds to say"]
    assert claim[-1] == "2"
    # Seeds differ by 0.2 dB: a standard deviation of 0.1414, the same on both images, which differ by 0.2 as well.
    varied = {row[0]: row[3:] for row in rows(data, "-variation")}
    assert varied["9-1-5"] == ["0.1414", "0.1414", "0.0000", "2", "2"]
    assert varied["9-3-5 - 9-1-5"] == ["0.0000", "0.0000", "0.0000", "2", "2"]


def test_a_table_without_a_claim_has_no_such_section() -> None:
    assert claims_parts(table_data(RUNS)) == ()


def test_every_verdict_is_explained() -> None:
    for words in (
        "holds",
        "does not hold",
        "smaller than 0.02 dB",
        "too close to say",
        "not enough training to say",
        "not enough seeds to say",
    ):
        assert words in HOW_TESTED


def test_a_verdict_in_words() -> None:
    first, second = (
        "a - b: +0.200 [+0.100, +0.300] dB, over images too [-0.1, +0.5]",
        "b - c: +0.050 [+0.010, +0.090] dB",
    )
    assert sentence(verdict(f"{first}; {second}", general=True)) == (
        "b - c is +0.050 dB, with 95 % confidence +0.010 to +0.090; sure of other photographs too"
    )
    assert sentence(verdict(f"{first}, margin 0.05", general=False)) == (
        "a - b is +0.200 dB, with 95 % confidence +0.100 to +0.300; at most +0.05 was claimed; sure of these images only"
    )
    learnt = "; a has 12.38 dB and counts as trained from 31.39"
    assert sentence(verdict(second + learnt, "not enough training to say")).endswith(f"+0.090{learnt}")
    one = verdict(
        "a - b: +0.200 (no interval from one figure) dB; 1 seed, 5 are needed", "not enough seeds to say", seeds=1
    )
    assert sentence(one) == "a - b is +0.200 dB; 1 seed, 5 are needed"
    assert sentence(verdict("no finished run of a", "not measured", seeds=0)) == "no finished run of a"


def test_the_sentence_of_a_real_verdict() -> None:
    (claim,) = with_claim(table_data(RUNS)).table.claims
    figures = {run.row: {4e6: table_data(RUNS).figures(run.row, "ours", "Set5/x3/psnr")} for run in RUNS}
    found = judge(claim, "ours", figures, printed={}, learnt=None)  # type: ignore[arg-type]
    assert sentence(found) == "9-3-5 - 9-1-5 is +1.000 dB, with 95 % confidence +1.000 to +1.000; 2 seeds, 5 are needed"
