"""A folder on a store, and its copies on two machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from divergen_records.stores import StorePath, access, place
from divergen_records.stores.errors import StoreError
from divergen_records.stores.shared import OwnFolder, SharedFolder, folder_of


@pytest.fixture
def machine(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], SharedFolder]:
    """The same folder as another machine has it."""

    def build(name: str) -> SharedFolder:
        monkeypatch.setenv("DIVERGEN_CACHE", str(tmp_path / name))
        return SharedFolder(StorePath(f"{bucket}/run"), print)

    return build


def put(folder: SharedFolder, **files: str) -> None:
    for name, text in files.items():
        path = folder.here / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def content(folder: SharedFolder) -> dict[str, str]:
    return {name: (folder.here / name).read_text() for name in folder._files()}


def test_push__the_other_machine_sees_it_whole(machine: Callable[[str], SharedFolder]) -> None:
    one, other = machine("one"), machine("other")
    put(one, a="1", pool__b="2", **{".hidden": "3", "pool__.divergen.json": "4"})
    one.push()
    other.pull()
    assert content(other) == {"a": "1", "pool/b": "2", "pool/.divergen.json": "4"}
    put(other, a="changed")
    (other.here / "pool" / "b").unlink()
    (other.here / "pool" / ".divergen.json").unlink()
    other.push()
    one.pull()
    assert (content(one), (one.here / "pool").exists()) == ({"a": "changed"}, False)
    assert sorted(access.listing(one.there)) == [".divergen-files.json", "a"]


def test_push__what_a_killed_one_sent_is_not_taken_for_whole(
    machine: Callable[[str], SharedFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machine("one"), machine("other")
    put(one, a="1")
    with monkeypatch.context() as patch:
        patch.setattr(SharedFolder, "_commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            one.push()
    other.pull()
    assert content(other) == {}
    one.push()
    other.pull()
    assert content(other) == {"a": "1"}


def test_push__two_at_once_keep_both(machine: Callable[[str], SharedFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = machine("one"), machine("other")
    put(one, a="1")
    put(other, b="2")
    replace = access.replace

    def late(path: StorePath, data: bytes, tag: str | None) -> bool:
        monkeypatch.setattr(access, "replace", replace)
        other.push()
        return replace(path, data, tag)

    monkeypatch.setattr(access, "replace", late)
    one.push()
    one.pull()
    assert content(one) == {"a": "1", "b": "2"}


def test_pull__only_what_is_wanted_and_mends(machine: Callable[[str], SharedFolder]) -> None:
    one, other = machine("one"), machine("other")
    put(one, a="1", pool__b="2")
    one.push()
    other.pull(lambda name: name == "a")
    assert content(other) == {"a": "1"}
    other.push()  # what was not brought is not what was removed
    (one.here / "a").unlink()
    one.pull()
    assert content(one) == {"pool/b": "2"}
    one.pull(mend=True)
    assert content(one) == {"a": "1", "pool/b": "2"}


def test_pull__an_object_that_is_gone(machine: Callable[[str], SharedFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    one, other = machine("one"), machine("other")
    put(one, **dict.fromkeys("abcde", "1"))
    one.push()
    access.remove(one.there / name for name in "abde")
    with pytest.raises(StoreError, match="run: a, b, d and 1 more: removed from the store by"):
        other.pull()


def test_pull__a_list_that_leads_out_of_the_folder(machine: Callable[[str], SharedFolder]) -> None:
    one = machine("one")
    access.write(one.there / ".divergen-files.json", b'{"../a": "1-1-1"}')
    with pytest.raises(StoreError, match="leads out of its folder"):
        one.pull()


def test_sending__sends_what_stands_still(machine: Callable[[str], SharedFolder]) -> None:
    one, other = machine("one"), machine("other")
    put(one, a="1")
    with one.sending(0.05):
        while not access.listing(other.there):
            time.sleep(0.05)
    other.pull()
    assert content(other) == {"a": "1"}


def test_folder_of__a_path_of_this_machine_stays(tmp_path: Path) -> None:
    found = folder_of(place(tmp_path), print)
    assert isinstance(found, OwnFolder)
    assert found.here == tmp_path
