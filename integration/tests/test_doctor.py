from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from click.testing import CliRunner
from divergen import doctor
from divergen.cli import main


def test_doctor__one_page() -> None:
    shown = CliRunner().invoke(main, ["doctor", "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["DiverGen"]["divergen-records"] == version("divergen-records")
    assert "usable" in found["here"]["cores"]
    assert "divergen-records" in CliRunner().invoke(main, ["doctor"]).output


def test_doctor__a_missing_extra_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda need: need.name != "pylance")
    extras = doctor.diagnosis()["extras"]
    assert extras["divergen-records[table]"] == "lacks pylance; pip install 'divergen-records[table]'"
    assert extras["divergen[ray]"] == "complete"


def test_doctor__an_unreachable_hub_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert "not reachable" in doctor.diagnosis()["models"]["hub"]
