from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen_records import (
    ConfigError,
    ExistsError,
    InstanceTable,
    MissingExtra,
    RunLocked,
    Shard,
    TableError,
    append,
    fill,
)
from divergen_records.cli import main
from divergen_records.endpoint import Ledger, SharedAccount
from divergen_records.files import locked, read_json, write_text
from divergen_records.formats.registry import read_any
from divergen_records.logs import Log
from divergen_records.stores import StorePath, access, copies, locks, place, refuse_store, shared
from divergen_records.stores.errors import StoreError
from divergen_records.testing import FakeSource, FakeStage, plan_instances, small_dataset

SECRET = "planted-secret-8f3a"
"""As in the fixture `bucket`."""


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://bucket/run", "s3://bucket/run is on an object store"),
        (Path("gs://bucket/run"), "gs://bucket/run is on an object store"),
        ("abfss://me@store.dfs.core.windows.net/run", "abfss://me@store.dfs.core.windows.net/run: object"),
        ("somewhere/hdfs:/cluster/run", "hdfs://cluster/run: object"),
        ("file:///data/run", "give the path alone: /data/run"),
        ("S3N://bucket/run", "S3N://bucket/run: object"),
        ("https://host/data.json", "https://host/data.json: is an address of the web"),
        (Path("hf://datasets/x").absolute(), "hf://datasets/x: is an address of the web"),
        ("s3://", "names no bucket; give s3://BUCKET/NAME"),
    ],
)
def test_refuse_store__addresses(path: str | Path, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        refuse_store(path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("path", "web"),
    [
        *((path, True) for path in ("runs/a", "/data/s3/run", "C:/data/run", "my-s3:/x", "s3:", "my-http:/x")),
        *((text, False) for text in ("http://localhost:8000", "https://s3.com/x", "hf://x")),
    ],
)
def test_refuse_store__anything_else(path: str, web: bool) -> None:
    refuse_store(path, web=web)
    assert not isinstance(place(path), StorePath)


def test_place__is_a_path() -> None:
    path = place(Path("s3://bucket/run/t.lance"))
    assert (str(path), str(path.parent), path.name) == ("s3://bucket/run/t.lance", "s3://bucket/run", "t.lance")
    assert pickle.loads(pickle.dumps(path)) == path == place("s3://bucket/run") / "t.lance"
    assert place("S3:/bucket//run/t.lance/") == path
    with pytest.raises(ConfigError, match="needs a path of this machine"):
        path.touch()


def test_place__key_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="keys belong into the environment") as error:
        place(f"s3://id:{SECRET}@bucket/run")
    assert SECRET not in str(error.value)


def test_place__package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pip install 'divergen-records\[gs\]'"):
        place("gs://bucket/x").exists()


@pytest.mark.parametrize("arguments", [["convert", "in.json", "out", "--format=s3://b/x"], ["schema", "hdfs://b/x"]])
def test_commands__address_that_is_no_path(arguments: list[str]) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert "Traceback" not in found.output


def test_table__same_as_on_this_machine(bucket: str, tmp_path: Path) -> None:
    found = []
    for path in (f"{bucket}/run/t.lance", tmp_path / "t.lance"):
        table = InstanceTable.create(path)
        for index in (0, 1):
            append(table, FakeSource(), plan_instances(8), shard=Shard(index, 2), progress=False)
        fill(InstanceTable.open(path), FakeStage(), progress=False)
        table.compact()
        found.append(sorted(InstanceTable.open(path).records(), key=lambda record: record.id))
    assert len(found[0]) == 8
    assert found[0] == found[1]
    assert InstanceTable.create(f"{bucket}/run/t.lance", exist_ok=True).count() == 8
    assert "s3://" in str(pickle.loads(pickle.dumps(InstanceTable.open(f"{bucket}/run/t.lance"))).path)


def test_table__key_of_any_letters(bucket: str) -> None:
    records = FakeSource()(list(plan_instances(2)))
    for name in ("ä b+c%20", "a#1", "a#2", "a?x=2", "a[*~]&'"):
        InstanceTable.create(f"{bucket}/{name}/t.lance").append(records)
        assert InstanceTable.open(f"{bucket}/{name}/t.lance").count() == 2


@pytest.mark.parametrize("call", [InstanceTable.open, InstanceTable.create])
def test_table__no_bucket(call: Callable[[str], Any], bucket: str) -> None:
    with pytest.raises(StoreError, match="there is no bucket 'not-there'"):
        call("s3://not-there/t.lance")
    with pytest.raises(TableError, match="does not exist"):
        InstanceTable.open(f"{bucket}/none.lance")


def test_table__no_answer_and_no_credentials(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"does not answer at http://127\.0\.0\.1:9"):
        InstanceTable.open(f"{bucket}/t.lance")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:10")
    with pytest.raises(StoreError, match="no credentials were found"):
        InstanceTable.open(f"{bucket}/t.lance")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("An error occurred (AccessDenied) when calling", "no permission"),
        ("<Code>SignatureDoesNotMatch</Code>", "does not accept these credentials"),
        ("An error occurred (403) when calling the HeadObject operation: Forbidden", "AWS_PROFILE.* are wrong, or not"),
        (f"something about {SECRET}", r"something about \*\*\*"),
    ],
)
def test_told__answers_of_stores(said: str, told: str, bucket: str) -> None:
    from divergen_records.stores.errors import told as telling

    with pytest.raises(StoreError, match=told), telling(place(f"{bucket}/x")):
        raise OSError(said)


@pytest.mark.parametrize("name", ["mine.lock", ".divergen-files.json"])
def test_own_objects__that_hold_something_else_are_named(name: str, bucket: str) -> None:
    access.write(there := place(f"{bucket}/run") / name, b"<html>sign in</html>")
    with pytest.raises(StoreError, match=rf"{name}: is not what DiverGen writes there") as error:
        if name == "mine.lock":
            with locked(there, "the run"):
                pass
        else:
            shared.folder_of(place(f"{bucket}/run"), print).pull()
    assert there.read_bytes() == b"<html>sign in</html>"
    assert "\n" not in str(error.value)


def test_write_text__conditional(bucket: str) -> None:
    path = place(f"{bucket}/a/b.json")
    write_text(path, '{"a": 1}')
    assert read_json(path, "") == {"a": 1}
    with pytest.raises(ExistsError, match="is there already"):
        write_text(path, "{}")
    with pytest.raises(FileExistsError):
        access.write(path, b"", overwrite=False)
    write_text(path, "{}", overwrite=True)
    assert [*path.parent.iterdir()] == [path]
    path.unlink()
    assert not path.exists()


def test_locked__owner_is_named_and_a_dead_one_gives_way(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = place(f"{bucket}/run/.lock")
    with locked(lock, "the run"):
        with pytest.raises(RunLocked, match=r"process \d+ on .*passes on in"), locked(lock, "the run"):
            pass
        monkeypatch.setattr(locks, "runs", lambda pid: False)
        with locked(lock, "the run"):  # as if the first one had been killed
            assert lock.exists()
    assert not lock.exists()


def test_convert__from_and_to_a_store(bucket: str, tmp_path: Path) -> None:
    source = small_dataset(tmp_path / "source").path
    sent = CliRunner().invoke(main, ["convert", str(source), f"{bucket}/yolo", "--format", "yolo"])
    assert (sent.exit_code, f"{bucket}/yolo" in sent.output) == (0, True), sent.output
    again = CliRunner().invoke(main, ["convert", str(source), f"{bucket}/yolo", "--format", "yolo"])
    assert (again.exit_code, "is there already" in again.output) == (2, True)
    back = CliRunner().invoke(main, ["convert", f"{bucket}/yolo", f"{bucket}/c.json", "--format", "coco"])
    assert back.exit_code == 0, back.output
    assert len(read_any(f"{bucket}/c.json").annotations) == 3
    said = sent.output + again.output + back.output
    assert SECRET not in said
    assert str(tmp_path / "cache") not in said
    seen = b"".join(access.read(place(bucket) / name) for name in access.listing(place(bucket)))
    assert SECRET.encode() not in seen
    over = ["convert", str(source), f"{bucket}/yolo", "--format", "yolo", "--overwrite"]
    assert CliRunner().invoke(main, over).exit_code == 0
    write_text(place(f"{bucket}/yolo/mine.txt"), "")
    refused = CliRunner().invoke(main, over)
    assert (refused.exit_code, "what no command wrote" in refused.output) == (2, True)


def test_local__fetches_only_what_changed_and_keeps_to_its_limit(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    monkeypatch.setattr(access, "fetch", lambda files, get=access.fetch: (fetched.append(len(files)), get(files)))
    for name in "abc":
        write_text(place(f"{bucket}/data/{name}.txt"), name)
    for _ in range(2):
        here = copies.local(f"{bucket}/data")
    write_text(place(f"{bucket}/data/a.txt"), "new", overwrite=True)
    place(f"{bucket}/data/b.txt").unlink()
    assert {path.name: path.read_text() for path in copies.local(f"{bucket}/data").iterdir()} == {
        "a.txt": "new",
        "c.txt": "c",
    }
    assert (fetched, here.name) == ([3, 0, 1], "data")
    monkeypatch.setenv("DIVERGEN_CACHE_GB", "0.000000001")
    with pytest.raises(StoreError, match="set DIVERGEN_CACHE_GB"):
        copies.local(f"{bucket}/data")


def test_table_command__on_a_store(bucket: str) -> None:
    table = InstanceTable.create(f"{bucket}/t.lance")
    append(table, FakeSource(), plan_instances(3), progress=False)
    found = CliRunner().invoke(main, ["table", "status", f"{bucket}/t.lance"])
    assert (found.exit_code, "generated" in found.output) == (0, True), found.output
    missing = CliRunner().invoke(main, ["table", "status", f"{bucket}/none.lance"])
    assert (missing.exit_code, "nothing is there" in missing.output) == (2, True)


def test_log__on_a_store_loses_no_line(bucket: str) -> None:
    one, other = Log(f"{bucket}/log.jsonl"), Log(place(f"{bucket}/log.jsonl"))
    assert (one.read(), one.append(b"a\n"), one.append(b"b\n")) == (b"", True, False)
    assert (other.append(b"c\n"), other.read(), other.append(b"c\n")) == (False, b"a\n", True)
    assert (one.read(2), one.append(b"d\n"), other.read()) == (b"c\n", True, b"a\nc\nd\n")


def test_shared_account__of_two_machines_has_one_limit(bucket: str) -> None:
    path = place(f"{bucket}/spent.jsonl")
    one, other = (SharedAccount(price_picture=1.0, max_cost=3.0, ledger=Ledger(path, "api")) for _ in range(2))
    assert (one.reserve(0, 0, 1), other.reserve(0, 0, 1), one.reserve(0, 0, 2)) == (1.0, 1.0, None)
    one.spend(0, 0, 1)
    one.release(1.0)
    assert (other.reserve(0, 0, 2), other.cost, other.reserved) == (None, 1.0, 1.0)
