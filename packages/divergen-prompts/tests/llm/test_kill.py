"""SIGKILL at random moments: nothing that was accepted is lost or asked for again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from divergen_prompts.files import read_prompts
from divergen_prompts.testing import FakeEndpoint

pytest.importorskip("openai")
NAMES = ["cup", "chair", "dog", "banana", "car", "hat"]


def whole_lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.mark.slow
def test_llm__killed_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    out, random, kills, held = tmp_path / "p.jsonl", Random(7), 0, []
    with FakeEndpoint(latency=0.05) as endpoint:
        command = [
            sys.executable,
            "-m",
            "divergen_prompts",
            "llm",
            "--categories",
            tmp_path / "names.txt",
            "--out",
            out,
        ]
        command += ["--model", "m", "--base-url", endpoint.url, "--per-category", 60, "--per-request", 4]
        command += ["--concurrency", 2]
        while True:
            before, asked = Counter(json.loads(line)["category"] for line in held), Counter(endpoint.asked)
            process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if kills < 5:
                kill_after_more_lines(process, out, len(held) + random.randint(5, 50))
                kills += 1
            _, errors = process.communicate(timeout=60)
            assert set(held) <= set(whole_lines(out))
            held = whole_lines(out)
            for name in NAMES:  # faultless answers: a run asks for no more than it lacked when it began
                assert endpoint.asked[name] - asked[name] <= 60 - before[name]
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 0, errors.decode()
                break
    prompts = read_prompts(out)
    assert Counter(prompt.category for prompt in prompts) == dict.fromkeys(NAMES, 60)
    assert len({prompt.text for prompt in prompts}) == 360


def kill_after_more_lines(process: subprocess.Popen[bytes], out: Path, lines: int) -> None:
    until = time.monotonic() + 60
    while len(whole_lines(out)) < lines and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
