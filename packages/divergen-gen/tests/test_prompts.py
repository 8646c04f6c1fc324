import pytest
from divergen_gen.prompts import read_prompts
from divergen_records import ConfigError, PromptRecord

RECORD = PromptRecord(text="a cup", category_id=1, category="cup", source="template")


def test_read_prompts__skips_empty_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text(f"{RECORD.model_dump_json()}\n\n{RECORD.model_dump_json()}\n", encoding="utf-8-sig")
    assert list(read_prompts(path)) == [RECORD, RECORD]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}", "line 1: text: Field required"), (b"\n{", "line 2: the line: Invalid JSON"), (b"\xff", "not UTF-8")],
)
def test_read_prompts__names_the_line(tmp_path, content, message):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        list(read_prompts(path))


def test_read_prompts__no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.jsonl: the prompts cannot be read"):
        list(read_prompts(tmp_path / "nothing.jsonl"))
