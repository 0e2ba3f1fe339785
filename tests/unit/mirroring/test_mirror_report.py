"""Progress and reports, as text and as JSON."""

from __future__ import annotations

import json

from oras_core.mirroring.ledger import Totals
from oras_core.mirroring.records import Failure, Record
from oras_core.mirroring.report import Progress, Report

TOTALS = Totals(
    repositories=20,
    is_planned=True,
    open_tags=300,
    done_jobs=40,
    done_tags=1200,
    moved=3000,
    skipped=7,
    mounted=5,
    bytes=3 * 1024**3,
)


def test_progress_estimates_the_rest_by_the_tags_of_this_process():
    progress = Progress(TOTALS, done_here=100, seconds=50.0, in_flight=8)
    assert progress.remaining == 150.0
    assert progress.text() == "1,200 of 1,500 tags, 3.0 GiB moved, 2 min 30 s left"


def test_progress_of_an_incomplete_plan_is_marked():
    totals = Totals(open_tags=10, done_tags=2, failed_jobs=1, bytes=100)
    assert Progress(totals, 2, 1.0, 1).text() == (
        "2 of 12+ tags, 100 B moved, 1 failed, 5.0 s+ left"
    )


def test_nothing_is_estimated_before_something_is_done():
    progress = Progress(TOTALS, done_here=0, seconds=50.0, in_flight=8)
    assert progress.remaining is None
    assert "left" not in progress.text()


def test_a_report_of_success_is_short():
    report = Report(Totals(3, True, done_jobs=3, done_tags=9, moved=4, bytes=2048), 3725.0)
    assert report.is_complete
    assert report.text().splitlines() == [
        "9 tags of 3 repositories are mirrored.",
        "4 blobs and manifests were moved (2.0 KiB),",
        "0 were present, 0 were mounted.",
        "3 jobs are done; this run took 1 h 02 min.",
    ]
    document = json.loads(report.json())
    assert document["complete"] is True
    assert document["totals"]["done_tags"] == 9


def test_a_report_says_what_is_left_and_why():
    failures = [
        Record(str(n), f"a.example/app{n}", "b.example/x", failure=Failure("E", f"reason {n}"))
        for n in range(25)
    ]
    totals = Totals(open_jobs=2, failed_jobs=25, left_out=3, changed=1)
    report = Report(totals, 1.0, failures, {"b.example": "no answer"})
    text = report.text()
    assert not report.is_complete
    assert "3 tags were left out" in text
    assert "1 tags changed while they were mirrored" in text
    assert "b.example does not work: no answer" in text
    assert "2 jobs are open. Run the mirror again to continue." in text
    assert "a.example/app0: reason 0" in text
    assert "app20" not in text
    assert text.endswith("and 5 more")
    document = json.loads(report.json())
    assert len(document["failures"]) == 25
    assert document["failures"][24]["message"] == "reason 24"
    assert document["given_up"] == {"b.example": "no answer"}
