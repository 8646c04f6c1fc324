import os
import subprocess
import sys

import divergen_records
import pytest

HEAVY = {"numpy", "torch", "lance", "pyarrow", "cv2", "PIL", "pycocotools", "rich"}


def last_line(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("module", ["divergen_records", "divergen_records.cli"])
def test_import__loads_nothing_heavy(module):
    assert last_line(f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))") == "[]"


def test_import__is_quick(tmp_path):
    """Seconds of this process, bytecode written: a busy machine, or a first start, is not the import's fault."""
    code = "import time; start = time.process_time(); import divergen_records; print(time.process_time() - start)"
    cache = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    assert min(float(last_line(code, **cache)) for _ in range(3)) < 0.5


def test_help__loads_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from divergen_records.cli import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    assert last_line(code) == "[]"


def test_import__sets_no_environment_variable():
    code = "import os; before = dict(os.environ); import divergen_records; print(before == dict(os.environ))"
    assert last_line(code) == "True"


def test_exports__are_sorted_and_there():
    pytest.importorskip("lance")
    names = divergen_records.__all__
    assert names == sorted(names)
    for name in divergen_records.__all__:
        assert getattr(divergen_records, name) is not None


def test_exports__unknown_name():
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = divergen_records.nothing
