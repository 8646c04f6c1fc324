import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["images", "endpoint", "table"])
def test_readme__examples_run(block, tmp_path, monkeypatch):
    if "InstanceTable" in block:
        pytest.importorskip("lance")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
