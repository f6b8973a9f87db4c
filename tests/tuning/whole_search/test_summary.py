"""The text at the top of a search's page; every figure here is computed by hand."""

from __future__ import annotations

import math

from srcnn.overlap.leaks import MARK
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.pictures import Picture
from srcnn.tuning.whole_search.result import verdict_of
from srcnn.tuning.whole_search.summary import summary_markdown

from result_parts import LEAK, PAPER, ROWS, UNJUDGED, WINNER, result, row


def test_the_page_of_a_search_names_best_paper_and_bicubic() -> None:
    rows = (*ROWS, row("paper", 0.25, reference=True, label="the paper's", test={"Set5": (31.0, 0.88)}))
    lines = summary_markdown(result(*rows)).splitlines()
    table = [line for line in lines if line.startswith("| x3")]
    assert table == [
        "| x3 | bicubic | 0.00 | 30.40 / 0.8682 |",
        "| x3 | paper's network: the paper's | +0.50 | 31.00 / 0.8800 |",
        "| x3 | best: mine, of course | +1.50 |  |",
    ]
    assert [line for line in lines if line.startswith("| x2")] == ["| x2 | bicubic | 0.00 | 30.40 / 0.8682 |"]
    assert "**s**: 5 trials (3 finished, 1 stopped, 1 failed, 0 interrupted), 61 s." in lines


def test_the_page_of_a_confirmed_search_has_the_judged_figures_its_verdict_and_marks() -> None:
    fields = {
        "choices": (Choice(3, (WINNER, PAPER)),),
        "kept": (LEAK,),
        "notes": ("a note",),
        "champions": ("a title",),
    }
    text = summary_markdown(result(*ROWS, **fields))
    lines = text.splitlines()
    paper, champion = (line for line in lines if line.startswith("| x3") and "bicubic" not in line)
    assert paper.startswith("| x3 | paper's network: paper | 1.750 [") and paper.endswith(" / 0.9000 |")
    # Means of the seeds are 33.0, 33.5 and 34.0: 33.5, and 4.303 * 0.5 / sqrt(3) = 1.24 around it.
    assert champion.startswith("| x3 | champion: winner | 2.000 [")
    assert champion.endswith("| 33.50 [32.26, 34.74] / 0.9100 |")
    assert f"Set5 {MARK} PSNR / SSIM" in text and "t1 shows woman of Set5" in text
    for sentence in verdict_of(Choice(3, (WINNER, PAPER)), ["Set5"], [LEAK]).sentences():
        assert f"- {sentence}." in lines
    assert "a note." in lines and "a title." in lines


def test_a_champion_without_judging_images_is_said_to_be_unjudged() -> None:
    found = result(*ROWS, choices=(Choice(3, (UNJUDGED,)),))
    assert "champion: winner | not judged |" in summary_markdown(found)
    assert MARK not in summary_markdown(found)
    assert math.isnan(ROWS[3].objective)


def test_links_and_pictures_lead_to_pages_of_the_same_server() -> None:
    pictures = {3: [Picture("baby", 1, 2, 160, 160, {"bicubic": 30.0, "champion": 31.456})]}
    text = summary_markdown(result(*ROWS), "7", pictures)
    assert "[Compare the trials](#/experiments/7/runs?workflowType=machine_learning&compareRunsMode=CHART" in text
    assert "Confirmations" not in text
    assert "| original | bicubic, 30.00 dB | champion, 31.46 dB |" in text
    assert "![champion](get-artifact?path=pictures/x3/baby-champion.png&run_uuid=run)" in text
    assert "http" not in text


def test_an_interrupted_search_has_no_test_figures() -> None:
    text = summary_markdown(result(*ROWS, bicubic={}))
    assert "| x3 | best: mine, of course | +1.50 |" in text
