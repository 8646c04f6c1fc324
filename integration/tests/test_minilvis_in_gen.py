"""The renderer joins divergen-gen by its entry point alone, and keeps what every generator promises."""

import pytest
from click.testing import CliRunner
from divergen_gen.cli import main
from divergen_gen.config import GeneratorConfig
from divergen_gen.testing import check_generator
from divergen_minilvis import ProceduralConfig
from divergen_records import InstanceTable, PromptRecord
from pydantic import TypeAdapter


@pytest.mark.parametrize("workers", [1, 2])
def test_renderer__keeps_the_contract(workers):
    made = []

    def build():
        made.append(ProceduralConfig(size=64, workers=workers).build())
        return made[-1]

    check_generator(build, "teapot")
    for generator in made:
        generator.close()


def test_renderer__is_named_by_kind():
    assert TypeAdapter(GeneratorConfig).validate_python({"kind": "procedural", "size": 64}) == ProceduralConfig(size=64)


def test_gen_run__draws_what_the_renderer_knows(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    rows = [
        PromptRecord(text=f"a {name}, in a white background", category_id=i, category=name, source="template")
        for i, name in enumerate(("cup", "dragon"))
    ]
    prompts.write_text("\n".join(row.model_dump_json() for row in rows))
    table = str(tmp_path / "t.lance")
    arguments = ["run", str(prompts), "--table", table, "--per-category", "2", "-g", "procedural,size=32"]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 3, found.output
    assert "the procedural renderer has no program for category 'dragon'" in found.output
    assert InstanceTable.open(table).count("image IS NOT NULL") == 2
