import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from divergen_records.system_errors import explain


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no permission"),
        (errno.EROFS, "only be read"),
        (errno.ENOTDIR, "a file and no folder"),
        (errno.EEXIST, "there already"),
        (errno.EISDIR, "give the name of a file"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.ENOSPC, "free some room"),
        (errno.EIO, "input/output error"),
        (errno.ENODEV, os.strerror(errno.ENODEV)),
    ],
)
def test_explain__path_and_remedy(number, words):
    sentence = explain(OSError(number, os.strerror(number), "out/a.json"))
    assert sentence.startswith("out/a.json: ")
    assert words in sentence


def test_explain__a_folder_that_was_copied():
    files = [(f"from/{name}", f"to/{name}", f"[Errno 28] No space left on device: 'from/{name}'") for name in "ab"]
    assert explain(shutil.Error(files)).startswith("to/a: no space left on this disk; ")
    assert explain(shutil.Error(files)).endswith(" (2 files could not be copied)")
    assert explain(shutil.Error([("from/a", "to/a", "[Errno 13] Permission denied: 'from/a'")])).startswith(
        "from/a: no p"
    )
    assert explain(shutil.SameFileError("a and a are one file")) is None


def test_explain__every_remedy_is_one_line():
    for number in errno.errorcode:
        sentence = explain(OSError(number, os.strerror(number), "a"))
        assert sentence is None or "\n" not in sentence


def test_explain__a_full_shared_memory_is_not_called_the_disk():
    sentence = explain(OSError(errno.ENOSPC, "No space left on device", "/dev/shm/torch_1_2"))
    assert "--shm-size" in sentence


def test_explain__a_full_place_without_a_name_is_found(monkeypatch):
    monkeypatch.setattr("divergen_records.system_errors._is_full", lambda place: place == "/dev/shm")
    assert "--shm-size" in explain(OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("can't start new thread", "ulimit -u"),
        ("Could not determine home directory.", "set HOME"),
        ("[enforce fail at inline_container.cc:672] . unexpected pos 3226624 vs 3226512", "want of space on its disk"),
        ("unable to write to file </torch_1_2_3>: No space left on device (28)", "--shm-size"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error.", "--shm-size"),
    ],
)
def test_explain__what_libraries_make_of_it(text, words):
    assert words in explain(RuntimeError(text))


def test_explain__no_room_to_load_a_library():
    assert "ulimit -v" in explain(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert explain(ImportError("No module named 'x'")) is None


def test_explain__the_place_it_was_started_in_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path.cwd()
    assert "cd into one that is there" in explain(caught.value)
    monkeypatch.chdir(tmp_path)
    assert explain(FileNotFoundError(errno.ENOENT, "no such file", "a")).startswith("a: ")


def test_explain__no_place_for_temporary_files():
    error = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/a', '/b']")
    assert "set TMPDIR" in explain(error)


def test_explain__memory():
    assert "not enough memory" in explain(MemoryError())


def test_explain__a_name_whose_letters_the_locale_lacks():
    code = r"""
from divergen_records.system_errors import explain
try:
    open("caf\xe9")
except UnicodeEncodeError as error:
    print(explain(error))
"""
    without = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=without)
    assert "in this locale (ascii) no file can have this name; run it with PYTHONUTF8=1" in done.stdout, done.stderr
    assert explain(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates")) is None


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), OSError("no number"), BrokenPipeError(errno.EPIPE, "x"), OSError(errno.ENOENT, "x")],
)
def test_explain__a_bug_is_not_explained(error):
    assert explain(error) is None


def test_explain__a_name_of_a_thousand_letters_is_cut():
    assert len(explain(OSError(errno.ENAMETOOLONG, "x", "a" * 5000))) < 500
