import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from divergen_gen.cli import main
from divergen_gen.command import parse_generator
from divergen_gen.execution import shard_from_environment
from divergen_records import ConfigError, InstanceTable, PromptRecord, Shard
from divergen_records.images import read_image

OPTIONS = "steps=1,size=32,dtype=float32,batch_size=2,device=cpu"


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    rows = [PromptRecord(text=f"a {c} cup", category_id=1, category="cup", source="t") for c in ("red", "blue")]
    path.write_text("\n".join(row.model_dump_json() for row in rows))
    return str(path)


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_config__texts_become_settings():
    config = parse_generator("diffusers,model=org/name,size=512x768,scheduler=DDIMScheduler,guidance=5,lora=my/lora")
    assert (config.size, config.scheduler.name, config.guidance) == ((512, 768), "DDIMScheduler", 5.0)
    assert config.lora[0].path == "my/lora"
    cascade = parse_generator("if,stage1=a/b,stage2=c/d,swap=true")
    assert (cascade.stage1.model, cascade.stage2.model, cascade.swap) == ("a/b", "c/d", True)


def test_config__nested_values_arrive_through_the_command_line():
    config = parse_generator(
        "diffusers,model=a/b,lora=[{path: x, scale: 0.5}, {path: y}],negative_prompt='a, b',scheduler.name=DDIM"
    )
    assert [(lora.path, lora.scale) for lora in config.lora] == [("x", 0.5), ("y", 1.0)]
    assert (config.negative_prompt, config.scheduler.name) == ("a, b", "DDIM")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("diffusers", "generator 'diffusers': model: is missing"),
        ("diffusers,model=a/b,size=100", "generator 'diffusers': size.0: input should be a multiple of 8 (got 100)"),
        ("diffusers,model=a/b,stpes=3", "generator 'diffusers': stpes: there is no such key; did you mean 'steps'?"),
        ("diffusers,model=a/b,lora={path: x, scal: 1}", "lora.0.scal: there is no such key; did you mean 'scale'?"),
        ("diffusers,model=a/b,lora=[{path: x, scal: 1}]", "lora.0.scal: there is no such key; did you mean 'scale'?"),
        ("diffusers,model=a/b,scheduler={name: x, optons: {}}", "scheduler.optons: there is no such key"),
        ("diffusers,model=a/b,lora=[{path: x", "a bracket or a quote is not closed"),
        ("diffusers,fast", "'fast': expected key=value"),
        ("difusers,model=x", "generator 'difusers': kind: 'difusers' is not one of 'diffusers', 'if'"),
    ],
)
def test_config__refuses_what_it_does_not_know(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_generator(text)


def test_config__has_the_generators_revision(model):
    first, second = model("if")
    for text in (f"diffusers,model={model('sd')},{OPTIONS}", f"if,stage1={first},stage2={second}"):
        config = parse_generator(text)
        assert config.revision == config.build().revision
        assert config.name == config.build().name


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"batch_size": 8}, True),
        ({"channels_last": True}, True),
        ({"compile": True}, True),
        ({"offload": "model"}, True),
        ({"steps": 2}, False),
        ({"guidance": 2.0}, False),
        ({"dtype": "float16"}, False),
        ({"vae_tiling": True}, False),
        ({"negative_prompt": "ugly"}, False),
        ({"quality": 90}, False),
    ],
)
def test_config__revision_follows_the_pictures_only(model, change, same):
    config = parse_generator(f"diffusers,model={model('sd')},steps=1")
    assert (config.model_copy(update=change).revision == config.revision) == same


def test_plan__loads_no_model(model, prompts):
    script = (
        "import sys\nfrom divergen_gen.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    arguments = ["plan", prompts, "--per-category", "10000", "-g", f"diffusers,name=a,model={model('sd')}"]
    arguments += ["-g", f"diffusers,name=b,model={model('sdxl')}", "--dry-run", "--rate", "a=5", "--rate", "b=2.5"]
    arguments += ["--picture-kb", "100", "--devices", "4"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert "a: 5,000 pictures at 5.0/s: 16.7 min, 500.0 MB" in done.stdout
    assert "b: 5,000 pictures at 2.5/s: 33.3 min, 500.0 MB" in done.stdout
    assert "all: 0.83 device-hours (12.5 min on 4 devices), 1.0 GB" in done.stdout


def test_plan__measures_what_is_not_given(model, prompts):
    output = call("plan", prompts, "-g", f"diffusers,model={model('sd')},{OPTIONS}", "--dry-run")
    assert "diffusers: 4 pictures at" in output
    assert "no generator is called 'x'" in call("plan", prompts, "-g", "fake", "--dry-run", "--rate", "x=3", status=2)


def test_run_and_preview__side_by_side(model, prompts, tmp_path):
    generators = ["-g", f"diffusers,name=a,model={model('sd')},{OPTIONS}", "-g", "fake,size=32"]
    output = call("run", prompts, "--table", tmp_path / "t.lance", "--per-category", 4, *generators)
    assert "a: 2 made, 0 failed, 0 were there" in output
    assert "fake: 2 made, 0 failed" in output
    sheet = tmp_path / "sheet.png"
    call("preview", prompts, "--out", sheet, "--each", 2, *generators)
    assert read_image(sheet).shape == (2 * 18 + 128, 2 * 2 * 128, 3)


def test_run__torchruns_processes_share_the_work(model, prompts, tmp_path, monkeypatch):
    generator = ["-g", f"diffusers,model={model('sd')},{OPTIONS}"]
    made = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert shard_from_environment() == Shard(int(rank), 2)
        output = call("run", prompts, "--table", tmp_path / "t.lance", "--per-category", 6, *generator)
        made.append(int(output.split(" made")[0].split()[-1]))
    assert sum(made) == 6
    assert InstanceTable.open(tmp_path / "t.lance").count("image IS NOT NULL") == 6


def test_run__says_which_prompts_are_too_long(model, tmp_path):
    path = tmp_path / "long.jsonl"
    record = PromptRecord(text="a red cup " * 9, category_id=1, category="cup", source="t")
    path.write_text(record.model_dump_json())
    table = tmp_path / "t.lance"
    output = call("run", path, "--table", table, "--per-category", 1, "-g", f"diffusers,model={model('sd')},{OPTIONS}")
    assert f"some prompts are longer than a model reads: {table}.truncated.jsonl" in output
    (row,) = map(json.loads, (tmp_path / "t.lance.truncated.jsonl").read_text().splitlines())
    assert (row["generator"], row["tokens"], row["limit"]) == ("diffusers", 29, 16)
