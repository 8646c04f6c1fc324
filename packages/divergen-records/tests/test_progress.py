import io
import sys

from divergen_records import Progress


def test_progress__one_line_at_the_end_of_a_log(capsys):
    with Progress("annotate", 4) as bar:
        for _ in range(4):
            bar.update()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("annotate: 4/4 rows, ")
    assert err.count("\n") == 1


def test_progress__a_line_every_few_seconds(capsys):
    with Progress("generate", 10, unit="pictures", every=0) as bar:
        bar.update(5, note="2 failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("generate: 5/10 pictures, ")
    assert lines[0].endswith("s left  2 failed")


def test_progress__unknown_total(capsys):
    with Progress("read") as bar:
        bar.update(3)
    assert capsys.readouterr().err.startswith("read: 3 rows, ")


def test_progress__more_than_was_expected(capsys):
    with Progress("generate", 2, every=0) as bar:
        bar.update(7)
    (line,) = capsys.readouterr().err.splitlines()  # not again at the end
    assert line.startswith("generate: 7/7 rows, ")
    assert line.endswith(", 0 s left")


def test_progress__silent_without_work(capsys):
    with Progress("nothing", 0):
        pass
    assert capsys.readouterr().err == ""


def test_progress__slow_work_is_told_in_seconds_each(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 20.0, 20.0])
    monkeypatch.setattr("divergen_records.progress.time.monotonic", lambda: next(clock))
    with Progress("train", 2) as bar:
        bar.update()
    assert "20.0 s each, 20 s left" in capsys.readouterr().err


def test_progress__a_bar_in_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Progress("annotate", 2) as bar:
        bar.update(2, note="done")
    assert "annotate" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
