"""Kills at every moment at which files change: the same again is then as if nothing had been, and nothing is left over.

A moment is an event of Python's auditing (a file opened to be written, renamed, linked, removed), counted, not timed:
each call of these tests kills at the same ones.
"""

import os
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

import filelock  # noqa: F401 (once, not in every fork)
import pytest
from divergen_records import ExistsError
from divergen_records.files import Written, refuse_existing, write_text
from divergen_records.folders import new_files, new_folder, resumable_folder, resumable_notes
from divergen_records.temporary import scratch_folder

EVENTS = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def a_file(place):
    write_text(place / "a.txt", "all")


def a_refused_file(place):
    refuse_existing(place / "a.txt", overwrite=False)
    a_file(place)


def a_replaced_file(place):
    write_text(place / "a.txt", "all", overwrite=True)


def files_beside_a_users(place):
    written = Written()
    for name in ("a", "b"):
        written.write(place / "labels" / name, b"all")
    a_replaced_file(place)


def a_folder(place):
    with new_folder(place / "out") as folder:
        (folder / "in").mkdir()
        (folder / "in" / "a").write_text("all")


def a_replaced_folder(place):
    with new_folder(place / "out", overwrite=True) as folder:
        (folder / "a").write_text("all")


def a_resumed_folder(place):
    with resumable_folder(place / "out", "settings", overwrite=True) as folder:
        if not (folder.parts / "1").exists():
            Written().write(folder.path / "in" / "a", b"all")
            write_text(folder.parts / "1", "done")


def a_resumed_file(place):
    with resumable_notes(place / "out.json", "settings") as notes:
        if not (notes.path / "1").exists():
            write_text(notes.path / "1", "done")
        overwrite = notes.appearing
        with new_folder(place / "masks", overwrite=overwrite) as folder:
            (folder / "a").write_text("all")
            notes.appear()
        write_text(place / "out.json", "all", overwrite=overwrite)


def several_files(place):
    with new_files(place / "a.png", place / "a.json") as files:
        for file in files:
            file.write_text("all")


def a_scratch_folder(place):
    tempfile.tempdir = str(place)
    with scratch_folder() as folder:
        (folder / "a").write_text("all")


WORKS = {
    work.__name__: work
    for work in (
        a_file, a_refused_file, a_replaced_file, files_beside_a_users, a_folder, a_replaced_folder, a_resumed_folder,
        a_resumed_file, several_files, a_scratch_folder,
    )
}  # fmt: skip


def forked(work, moment):
    """Do it in a process of its own, killed before such a moment; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        left = moment

        def count(event, about):
            nonlocal left
            if event in EVENTS or (event == "open" and about[2] & (os.O_WRONLY | os.O_RDWR)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
            os._exit(0)
        finally:  # an error
            traceback.print_exc()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status == 0


def kill_at_every_moment(work, folder):
    """Kill it, call it again, and compare; one moment after another."""
    (folder / "whole").mkdir()
    work(folder / "whole")
    for moment in range(1000):
        place = folder / str(moment)
        place.mkdir()
        ended = forked(partial(work, place), moment)
        with suppress(ExistsError):  # the kill came when all had its name
            work(place)
        assert contents(place) == contents(folder / "whole"), f"killed before event {moment}"
        if ended:
            break
    assert 2 < moment < 999


@pytest.mark.parametrize("name", list(WORKS))
def test_kill__at_any_moment_the_next_call_makes_it_whole(tmp_path, name):
    line = [sys.executable, __file__, name, tmp_path]  # a process without threads, of which a fork lacks nothing
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    kill_at_every_moment(WORKS[sys.argv[1]], Path(sys.argv[2]))
