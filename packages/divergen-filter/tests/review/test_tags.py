"""Verdicts from the tags of a data set that was exported for FiftyOne and came back."""

import json

import pytest
from click.testing import CliRunner
from divergen_filter.cli import main
from divergen_filter.review.merging import merge_reviews
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path
from divergen_records.export import export_instances


@pytest.fixture
def tag(reviewed, tmp_path):
    """Exports the table, changes tags as a person does, and reads them; gives the command's result."""

    def change(tags, *, reviewer="anna", meanwhile=(), on_object=False):
        out = tmp_path / "out"
        merge_reviews(reviewed)
        export_instances(reviewed.records(), out, "fiftyone")
        VerdictLog(log_path(reviewed.path)).append(list(meanwhile))
        file = out / "samples.json"
        content = json.loads(file.read_text())
        for sample in content["samples"]:
            place = sample["ground_truth"]["detections"][0] if on_object else sample
            place["tags"] = tags.get(sample["instance_id"], place["tags"])
        file.write_text(json.dumps(content))
        line = ["review", str(reviewed.path), "--from", "fiftyone", str(out), "--reviewer", reviewer]
        return CliRunner().invoke(main, line)

    return change


@pytest.mark.parametrize("on_object", [False, True])
def test_review_from__tags_are_verdicts(reviewed, tag, on_object):
    first, second, third, fourth = sorted(reviewed.ids())[:4]
    tags = {first: ["Reject"], second: ["mask", "favourite"], third: ["category: mug"], fourth: ["keep"]}
    done = tag(tags, on_object=on_object)
    assert done.exit_code == 0, done.output
    assert "tags: 4 verdicts: " in done.output and "56 as they were; no verdicts: favourite (1)" in done.output
    assert reviewed.count("review = 'reject' AND reviewer = 'anna'") == 1
    assert reviewed.count(f"id = '{third}' AND review_category = 'mug'") == 1


def test_review_from__a_tag_that_is_gone_takes_the_verdict_back(reviewed, tag):
    first, second = sorted(reviewed.ids())[:2]
    said = [Verdict(key, "reject", "anna", "2026-01-01T00:00:00+00:00") for key in (first, second)]
    VerdictLog(log_path(reviewed.path)).append(said)
    done = tag({first: []})
    assert "0 verdicts; 1 taken back, 59 as they were" in done.output, done.output
    assert reviewed.ids("review IS NOT NULL") == {second}


def test_review_from__tells_what_it_leaves_out(reviewed, tag):
    first, second, third = sorted(reviewed.ids())[:3]
    since = [Verdict(third, "keep", "bob", "2026-01-02T00:00:00+00:00")]
    done = tag({first: ["keep", "reject"], second: ["category"], third: ["reject"]}, meanwhile=since)
    assert done.exit_code == 3
    for told in ("contradict each other: keep, reject", "write category:NAME", "bob has said 'keep' since"):
        assert told in done.output
    assert reviewed.count("review = 'keep' AND reviewer = 'bob'") == reviewed.count("review IS NOT NULL") == 1
