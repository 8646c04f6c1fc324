import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from divergen_records import DatasetError, NothingLeft
from divergen_records.command import Group, next_step
from divergen_records.stores.arguments import AddressPath, LocalPath


@click.group(cls=Group)
def main():
    pass


@main.command()
def refuse():
    raise DatasetError("x.json: no images; add some")


@main.command()
def fill_disk():
    raise OSError(errno.ENOSPC, "No space left on device", "run/report.html")


@main.command()
def fail():
    raise ValueError("a bug")


def test_group__an_error_is_one_sentence():
    result = CliRunner().invoke(main, ["refuse"])
    assert result.exit_code == 2
    assert result.output == "Error: x.json: no images; add some\n"


def test_group__a_full_disk_is_no_bug():
    result = CliRunner().invoke(main, ["fill-disk"])
    assert result.exit_code == 2
    assert result.output.startswith("Error: run/report.html: no space left on this disk; free some room")


def test_group__ctrl_c_is_one_line_and_a_status_of_its_own():
    @main.command()
    def stop():
        raise KeyboardInterrupt

    result = CliRunner().invoke(main, ["stop"])
    assert (result.exit_code, result.output) == (130, "\nstopped; the same line goes on, or begins again\n")


def test_group__a_bug_keeps_its_trace():
    with pytest.raises(ValueError, match="a bug"):
        CliRunner().invoke(main, ["fail"], catch_exceptions=False)


def test_group__a_message_does_nothing_to_the_terminal():
    @main.command()
    def name_it():
        raise DatasetError("\x1b[2J.jpg: \u202egpj.exe")

    result = CliRunner().invoke(main, ["name-it"])
    assert result.output == "Error: \\x1b[2J.jpg: \\u202egpj.exe\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_group__a_full_standard_output_is_a_sentence(words):
    code = (
        "import click; from divergen_records.command import Group, echo\n"
        "@click.group(cls=Group)\ndef main(): pass\n"
        "@main.command()\ndef say(): echo('x')\nmain()"
    )
    line = [sys.executable, "-c", code, "say", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "Error: no space left on this disk" in done.stderr


@pytest.mark.parametrize("said", ["echo('x')", "Console().print('x')"])
@pytest.mark.parametrize("words", [("say",), ("say", "--json"), ("--help",)])
def test_group__nobody_reads_any_more(said, words):
    code = (
        "import click; from divergen_records.command import Group, echo; from rich.console import Console\n"
        f"@click.group(cls=Group)\ndef main(): pass\n@main.command()\ndef say(): {said}\nmain()"
    )
    gone, pipe = os.pipe()
    os.close(gone)
    done = subprocess.run([sys.executable, "-c", code, *words], stdout=pipe, stderr=subprocess.PIPE, check=False)
    os.close(pipe)
    assert (done.returncode, done.stderr.replace(b"x\n", b"")) == (141, b"")  # --json prints texts there


def test_echo__a_locale_without_the_letters():
    code = (
        "import click; from divergen_records.command import Group, echo\n"
        "@click.group(cls=Group)\ndef main(): pass\n"
        "@main.command()\ndef say(): echo('\\u2192 \\udcff')\nmain(['say'])"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "\\u2192 \\udcff\n")


def test_group__nothing_left_is_status_1():
    @main.command()
    def lose_all():
        raise NothingLeft("x: nothing left")

    assert CliRunner().invoke(main, ["lose-all"]).exit_code == 1


def test_next_step__of_a_package_that_is_not_installed_says_what_installs_it(capsys):
    next_step("divergen-records", "check", "my file.json")
    next_step("divergen-nowhere", "go")
    here, absent = capsys.readouterr().err.splitlines()
    assert here == "next: divergen-records check 'my file.json'"
    assert absent == "next: divergen-nowhere go   # comes with: pip install divergen-nowhere"


@pytest.mark.parametrize(
    ("out", "said"),
    [("in.json", "in.json is not replaced: this command reads "), ("folder", "folder is not replaced"), ("new", "")],
)
def test_group__what_a_command_reads_is_never_replaced(tmp_path, monkeypatch, out, said):
    @main.command()
    @click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
    @click.option("--out", type=click.Path(path_type=Path))
    @click.option("--overwrite", is_flag=True)
    def replace(sources, out, overwrite):
        pass

    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("in.json", "folder/pool.json", "new"):
        Path(name).touch()
    result = CliRunner().invoke(main, ["replace", "in.json", "folder/pool.json", "--out", out, "--overwrite"])
    assert (result.exit_code, said in result.output) == (2 if said else 0, True)


@pytest.mark.parametrize("kind", [click.Path(path_type=Path), AddressPath(), LocalPath()])
def test_group__the_home_folder_that_a_shell_left(kind, monkeypatch):
    @click.group(cls=Group)
    def main():
        pass

    @main.command()
    @click.option("--out", type=kind)
    def make(out):
        click.echo(out)

    monkeypatch.setenv("HOME", "/me")
    printed = [
        CliRunner().invoke(main, ["make", f"--out={path}"]).output.strip() for path in ("~/x y", "./~/x", "~backup")
    ]
    assert printed == ["/me/x y", "~/x", "~backup"]


@pytest.mark.parametrize(
    ("words", "said"), [(["--heat", "nan"], "--heat is nan"), (["--each", "-nan"], "--each is nan")]
)
def test_group__a_number_that_is_none(words, said):
    @click.group(cls=Group)
    def main():
        """."""

    @main.command()
    @click.option("--heat", type=float)
    @click.option("--each", type=float, multiple=True)
    def go(heat, each):
        """."""

    done = CliRunner().invoke(main, ["go", *words])
    assert (done.exit_code, done.output) == (2, f"Error: {said}; expected a number\n")
