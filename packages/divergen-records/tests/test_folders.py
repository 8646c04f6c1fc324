import os
import signal
import subprocess
import sys

import pytest
from divergen_records import ExistsError, RunLocked
from divergen_records.folders import MARK, new_files, new_folder, resumable_folder, resumable_notes


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def make(out, *files, overwrite=False):
    with new_folder(out, overwrite=overwrite) as folder:
        for name in files:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(name)


def test_new_folder__appears_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/a"]


def test_new_folder__a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_new_folder__an_empty_one_may_be_there(tmp_path):
    (tmp_path / "out").mkdir()
    make(tmp_path / "out", "a")
    assert (tmp_path / "out" / "a").exists()


def test_new_folder__refuses_what_is_there(tmp_path):
    make(tmp_path / "out", "a")
    with pytest.raises(ExistsError, match=r"out is there already; .* --overwrite"):
        make(tmp_path / "out", "b")
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/a"]


def test_new_folder__overwrite_leaves_nothing_of_what_the_command_wrote_before(tmp_path):
    make(tmp_path / "out", "images/a", "images/b")
    make(tmp_path / "out", "images/a", overwrite=True)
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/images", "out/images/a"]


def test_new_folder__overwrite_does_not_touch_what_a_user_put_there(tmp_path):
    make(tmp_path / "out", "images/a")
    (tmp_path / "out" / "images" / "mine").write_text("mine")
    with pytest.raises(ExistsError, match=r"holds what was not written by .*images/mine"):
        make(tmp_path / "out", "images/b", overwrite=True)
    assert names(tmp_path / "out") == [MARK, "images", "images/a", "images/mine"]


def test_new_folder__overwrite_does_not_touch_a_folder_that_no_command_made(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis").write_text("mine")
    with pytest.raises(ExistsError, match="thesis"):
        make(tmp_path / "out", "a", overwrite=True)
    assert names(tmp_path) == ["out", "out/thesis"]


def test_new_folder__a_file_and_a_mount_are_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExistsError, match="is a file"):
        make(tmp_path / "out", "a", overwrite=True)
    with pytest.raises(ExistsError, match="root of a file system"):
        make("/", "a", overwrite=True)


def test_new_folder__a_link_to_an_empty_folder_is_followed(tmp_path):
    (tmp_path / "big_disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big_disk")
    make(tmp_path / "out", "a")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "big_disk" / "a").exists()


def test_new_folder__names_that_are_no_utf8(tmp_path):
    with new_folder(tmp_path / "out") as folder:
        (folder / os.fsdecode(b"a\xff")).write_text("a")
    make(tmp_path / "out", "b", overwrite=True)
    assert names(tmp_path / "out") == [MARK, "b"]


def test_new_folder__a_link_in_the_place_of_unfinished_work_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / ".out.unfinished").symlink_to(tmp_path / "theirs")
    with pytest.raises(ExistsError, match="is a link"):
        make(tmp_path / "out", "a")


def killed(code, at):
    """Run code that makes a folder, and kill it when it has printed a line."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        at()
        process.send_signal(signal.SIGKILL)


def test_new_folder__two_writers_and_what_a_kill_left(tmp_path):
    out = tmp_path / "out"
    code = f"""
from divergen_records.folders import new_folder
with new_folder({str(out)!r}) as folder:
    (folder / "old").write_text("")
    print("ready", flush=True)
    input()
"""

    def second():
        with pytest.raises(RunLocked, match="another process works on"):
            make(out, "a")

    killed(code, second)
    assert names(tmp_path)  # what the kill left
    make(out, "a")
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/a"]


@pytest.mark.parametrize("moves", [1, 2])
def test_new_folder__killed_between_the_two_renames_of_a_swap(tmp_path, moves):
    out, work = tmp_path / "out", tmp_path / ".out.unfinished"
    make(out, "old")
    work.mkdir()
    (work / "out").mkdir()
    out.rename(work / "replaced")
    if moves == 2:
        (work / "out").rename(out)
    with pytest.raises(ExistsError) if moves == 1 else pytest.MonkeyPatch.context():
        make(out, "new")
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/old" if moves == 1 else "out/new"]


def part_of(out, settings, *, overwrite=False):
    with pytest.raises(KeyboardInterrupt), resumable_folder(out, settings, overwrite=overwrite) as work:
        (work.path / settings).write_text("")
        (work.parts / "1").write_text("done")
        raise KeyboardInterrupt


def test_resumable_folder__goes_on_where_it_was(tmp_path):
    out = tmp_path / "out"
    part_of(out, "s")
    with resumable_folder(out, "s") as work:
        assert (work.parts / "1").exists()
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/s"]


def test_resumable_folder__half_a_file_of_a_killed_process_is_not_carried_on(tmp_path):
    code = f"""
from pathlib import Path
from divergen_records.files import Written
from divergen_records.folders import resumable_folder
with resumable_folder({str(tmp_path / "out")!r}, "s") as work:
    (work.parts / "1").write_text("done")
    Path.replace = lambda *names: (print("ready", flush=True), input())  # killed before the file has its name
    Written().write(work.path / "labels" / "a.txt", b"half")
"""
    killed(code, lambda: None)
    assert [path.suffix for path in (tmp_path / ".out.unfinished" / "out" / "labels").iterdir()] == [".tmp"]
    with resumable_folder(tmp_path / "out", "s") as work:
        (work.path / "labels" / "a.txt").write_text("whole")
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/labels", "out/labels/a.txt"]


def test_resumable_folder__other_settings_are_refused_unless_asked(tmp_path):
    out = tmp_path / "out"
    part_of(out, "s")
    with pytest.raises(ExistsError, match="unfinished work with other settings"), resumable_folder(out, "t"):
        pass
    with pytest.raises(ExistsError, match="unfinished work with other settings"):
        make(out, "a")
    with resumable_folder(out, "t", overwrite=True) as work:
        assert not list(work.parts.iterdir())
    assert names(out) == [MARK]


def test_resumable_folder__a_refusal_keeps_the_unfinished_work(tmp_path):
    out = tmp_path / "out"
    make(out, "old")
    part_of(out, "s", overwrite=True)
    with pytest.raises(ExistsError, match="is there already"), resumable_folder(out, "s"):
        pass
    with resumable_folder(out, "s", overwrite=True) as work:
        assert (work.parts / "1").exists()
    assert names(tmp_path) == ["out", f"out/{MARK}", "out/s"]


def test_resumable_notes__of_a_file(tmp_path):
    out = tmp_path / "out.json"
    with pytest.raises(KeyboardInterrupt), resumable_notes(out, "s") as notes:
        (notes.path / "1").write_text("done")
        raise KeyboardInterrupt
    with pytest.raises(ExistsError, match="other settings"), resumable_notes(out, "t"):
        pass
    with resumable_notes(out, "s") as notes:
        assert (notes.path / "1").exists()
        out.write_text("done")
    assert names(tmp_path) == ["out.json"]
    with pytest.raises(ExistsError, match="--overwrite"), resumable_notes(out, "s"):
        pass
    with resumable_notes(out, None, overwrite=True) as notes:
        assert not list(notes.path.iterdir())
    assert names(tmp_path) == ["out.json"]


def test_resumable_notes__a_failure_before_the_first_note_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no such folder"), resumable_notes(tmp_path / "out.json", "s") as notes:
        (notes.path / "masks.jsonl").touch()
        raise ValueError("no such folder")
    assert names(tmp_path) == []


def write_two(folder, overwrite=False):
    with new_files(folder / "a.png", folder / "a.json", overwrite=overwrite) as files:
        for file in files:
            file.write_text(str(overwrite))


def test_new_files__all_or_none(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_files(tmp_path / "a.png", tmp_path / "a.json") as (first, _):
        first.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    write_two(tmp_path)
    assert names(tmp_path) == ["a.json", "a.png"]
    with pytest.raises(ExistsError, match=r"a\.png is there already"):
        write_two(tmp_path)
    write_two(tmp_path, overwrite=True)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"True"}


@pytest.mark.parametrize("done", [0, 1])
def test_new_files__a_kill_as_they_are_drawn_or_appear(tmp_path, done):
    code = f"""
from pathlib import Path
from divergen_records import folders
def killed(written, paths):
    for new, path in zip(written[:{done}], paths):
        new.replace(path)
    print("ready", flush=True)
    input()
folders._appear = killed
with folders.new_files(Path({str(tmp_path / "a.png")!r}), Path({str(tmp_path / "a.json")!r})) as files:
    for file in files:
        file.write_text("of the killed")
"""
    killed(code, lambda: None)
    with pytest.raises(ExistsError):  # all had been written: the next lets them appear, and replaces nothing
        write_two(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ["a.png", "a.json"], "of the killed"
    )
