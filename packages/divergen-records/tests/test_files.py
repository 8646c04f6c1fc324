import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from divergen_records import DatasetError, ExistsError, RunLocked, temporary
from divergen_records.files import (
    locked,
    new_name,
    read_text,
    refuse_existing,
    sweep,
    write_bytes,
    write_text,
    writing,
    writing_text,
)


@pytest.fixture(autouse=True)
def forget_sweeps(monkeypatch):
    monkeypatch.setattr(temporary, "_swept", set())


def test_write_text__is_utf8_with_plain_line_ends_and_makes_the_folder(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "Schlüssel\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"Schl\xc3\xbcssel\n"
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "a.txt"]


def test_write_text__refuses_what_is_there_and_says_how_to_replace_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("mine")
    with pytest.raises(ExistsError, match=r"a\.txt is there already; .* --overwrite"):
        write_text(path, "new")
    assert path.read_text() == "mine"
    write_text(path, "new", overwrite=True)
    assert path.read_text() == "new"


def test_write_text__a_broken_link_is_something(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExistsError, match="is there already"):
        write_text(tmp_path / "a", "new")


def test_write_text__a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "a").symlink_to(tmp_path / "theirs")
    write_text(tmp_path / "a", "new", overwrite=True)
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / "a").read_text() == "new"


def test_write_text__a_folder_is_never_replaced(tmp_path):
    with pytest.raises(ExistsError, match="is a folder"):
        write_text(tmp_path, "new", overwrite=True)


def test_write_text__the_longest_name(tmp_path):
    write_text(tmp_path / ("ä" * 127), "new")
    assert (tmp_path / ("ä" * 127)).read_text() == "new"


def test_writing__what_came_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(ExistsError), writing(tmp_path / "a") as file:
        file.write(b"mine")
        (tmp_path / "a").write_text("theirs")
    assert (tmp_path / "a").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_writing__without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(ExistsError):
        write_bytes(tmp_path / "a", b"newer")


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_writing_text__a_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)), writing_text(tmp_path / "a") as file:
        file.write("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_writing__a_full_disk_is_said_of_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError, match=r"a\.json'") as caught, writing(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.json")


def test_writing__no_folder_to_write_into_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        write_text(tmp_path / "file" / "a.txt", "new")


def test_writing__two_threads_write_one_file(tmp_path):
    threads = [
        threading.Thread(target=write_text, args=(tmp_path / "a", text * 10_000), kwargs={"overwrite": True})
        for text in "xyz"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (tmp_path / "a").read_text()
    assert text in {letter * 10_000 for letter in "xyz"}
    assert len(list(tmp_path.iterdir())) == 1


def test_sweep__takes_what_a_killed_process_left_and_nothing_else(tmp_path):
    code = f"""
from divergen_records.files import writing
with writing({str(tmp_path / "a")!r}) as file:
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (left,) = tmp_path.iterdir()
        sweep(tmp_path)
        assert left.exists()  # its writer lives
        process.send_signal(signal.SIGKILL)
    (tmp_path / ".mine.tmp").write_text("")
    temporary._swept.clear()
    write_text(tmp_path / "b", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.tmp", "b"]


def test_sweep__another_machines_file_only_when_it_is_old(tmp_path):
    young, old = tmp_path / ".a.elsewhere-1.7.0.tmp", tmp_path / ".b.elsewhere-1.7.0.tmp"
    young.write_text("")
    old.write_text("")
    os.utime(old, (0, 0))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_sweep__a_folder_that_cannot_be_read_is_left_to_the_write(tmp_path):
    sweep(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_new_name__is_removed_after_use(tmp_path):
    with new_name(tmp_path / "a") as name:
        name.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_refuse_existing__none_is_not_asked_for(tmp_path):
    refuse_existing(None, tmp_path / "a", overwrite=False)
    (tmp_path / "a").touch()
    with pytest.raises(ExistsError):
        refuse_existing(None, tmp_path / "a", overwrite=False)


def test_read_text__drops_a_byte_order_mark(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfx: 1")
    assert read_text(tmp_path / "a") == "x: 1"


def test_read_text__latin1_is_one_sentence(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"x: 1\nname: Schl\xfcssel\n")
    with pytest.raises(DatasetError, match=r"a\.yaml, line 2: this is no UTF-8 text \(byte 0xfc.*iconv -f latin1"):
        read_text(tmp_path / "a.yaml")


def test_locked__a_second_one_is_refused(tmp_path):
    code = f"""
from divergen_records.files import locked
from pathlib import Path
with locked(Path({str(tmp_path / "lock")!r}), "out"):
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(RunLocked, match="another process works on out"), locked(tmp_path / "lock", "out"):
            pass
        process.kill()
    with locked(tmp_path / "lock", "out"):
        pass
