from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from divergen_records import ConfigError, DatasetError
from divergen_records.yaml_files import dump_yaml, parse_yaml, read_yaml
from packaging.requirements import Requirement

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 1,000,000 values, once aliases"),
        ("- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 200)), "nested deeper than 100"),
        ("a: &x 1\nb: &x 2", "duplicate anchor"),
        ("&a [*a]", r"\*a stands inside of what it stands for"),
        ("[" * 100_000, "nest"),
        ("- " * 500 + "x", "nested deeper than 100"),
        ("{a: " * 500, "nested deeper than 100"),
        ("a: 1\na: 2", r"found duplicate key a \(line 2, column 1\)"),
        ("a: [", "line 2"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: \x07", "not valid YAML"),
    ],
)
def test_parse_yaml__refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_yaml(text, "my.yaml")
    assert str(error.value).startswith("my.yaml: not valid YAML: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_parse_yaml__refuses_bombs_before_they_take_memory() -> None:
    """In a process that may not grow by more than 300 MB."""
    code = (
        "import resource, yaml, omegaconf; from divergen_records import ConfigError;"
        "from divergen_records.yaml_files import parse_yaml;"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 300_000_000,) * 2)\n"
        f"for text in ({BOMB!r}, '[' * 1_000_000, '- ' * 1_000_000):\n"
        "    try: parse_yaml(text, 'x')\n"
        "    except ConfigError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["refused"] * 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [ &y [1, 2], *y ]", {"a": [[1, 2], [1, 2]]}),
        ("{u: https://x/y?api-version=1}", {"u": "https://x/y?api-version=1"}),
        ("[what?, 1e-4, 1e3, .5, -1.5e-3, 2024-06-01, 089, 1_000, '1e3']",
         ["what?", 1e-4, 1e3, 0.5, -1.5e-3, "2024-06-01", "089", 1000, "1e3"]),
        ("base: &b {x: 1}\nmore: {<<: *b, y: 2}", {"base": {"x": 1}, "more": {"x": 1, "y": 2}}),
        ("", None),
    ],
)  # fmt: skip
def test_parse_yaml__the_same_whatever_omegaconf(text: str, value: object) -> None:
    assert parse_yaml(text, "my.yaml") == value


def test_requirements__omegaconf_beside_hydra_core() -> None:
    """hydra-core 1.3 allows nothing from 2.4 on; detectron2 requires it."""
    (wanted,) = (one for one in map(Requirement, requires("divergen-records") or ()) if one.name == "omegaconf")
    assert wanted.specifier.contains("2.3.0")
    assert wanted.specifier.contains("2.4.0")


def test_read_yaml__what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for content, message in (
        (None, "there is no such file"),
        ("é".encode("latin-1"), "not UTF-8 text"),
        (b"[", "YAML"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            read_yaml(path, error=DatasetError)
    with pytest.raises(ConfigError, match="not a file"):
        read_yaml(tmp_path)
    with path.open("wb") as file:
        file.truncate(16_000_001)
    with pytest.raises(ConfigError, match="larger than 16 MB"):
        read_yaml(path)


def test_read_yaml__byte_order_mark_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("\ufeffa: 1e-4\nb: 'é'\nc: 2020-01-01\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"a": 1e-4, "b": "é", "c": "2020-01-01"}


@pytest.mark.parametrize("value", ["1e5", "on", "null", "~", "1:30", "é", "a: b", "", 1e-5, None, [1, {"a": ()}]])
def test_dump_yaml__is_read_back_the_same(value: object) -> None:
    back = parse_yaml(dump_yaml({"b": value, "a": 1}), "x")
    assert back == {"b": [1, {"a": []}] if isinstance(value, list) else value, "a": 1}
    assert list(back) == ["b", "a"]
