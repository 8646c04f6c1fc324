import numpy as np
import pytest
import torch
from divergen_gen import IFCascade, Model, generate, plan
from divergen_gen.testing import check_generator, planned_record
from divergen_records import ConfigError, InstanceTable, PromptRecord, derive_seed
from divergen_records.images import read_image


@pytest.fixture
def cascade(model):
    def build(**changes):
        first, second = model("if")
        return IFCascade(
            Model(model=str(first), steps=2, dtype="float32"),
            Model(model=str(second), steps=2, dtype="float32"),
            **{"batch_size": 2, **changes},
        )

    return build


def test_cascade__keeps_the_contract(cascade):
    check_generator(cascade, "cup")


def test_cascade__reads_each_prompt_once_for_both_stages(cascade, tmp_path, count_encodes):
    generator = cascade()
    prompts = [PromptRecord(text=f"a {c} cup", category_id=1, category="cup", source="t") for c in ("red", "blue")]
    table = InstanceTable.create(tmp_path / "t.lance")
    (report,) = generate(table, plan(prompts, [generator], counts=5), [generator], progress=False)
    assert (report.done, len(count_encodes)) == (5, 2 + 1)  # and once what guidance leads away from
    assert {(r.width, r.height) for r in table.records()} == {(32, 32)}


def test_cascade__makes_what_the_pipelines_make(cascade, model):
    from diffusers import DiffusionPipeline

    generator = cascade(batch_size=1, image_format="png")
    record = generator([planned_record("cup", 5, generator, "a red cup")])[0]
    pipes = [DiffusionPipeline.from_pretrained(folder) for folder in model("if")]
    for pipe in pipes:
        pipe.set_progress_bar_config(disable=True)
    positive, negative = pipes[0].encode_prompt("a red cup")
    given = {"prompt_embeds": positive, "negative_prompt_embeds": negative, "num_inference_steps": 2}
    small = pipes[0](**given, generator=torch.Generator().manual_seed(5), output_type="pt").images
    second = torch.Generator().manual_seed(derive_seed(5, "stage", 1))
    large = pipes[1](image=small, **given, generator=second, output_type="np").images[0]
    assert np.abs(np.round(large * 255) - read_image(record.image)).max() <= 1


def test_cascade__swapped_stages_make_the_same_pictures(cascade):
    one, other = cascade(), cascade(swap=True)
    records = [planned_record("cup", seed, one) for seed in range(3)]
    assert one(records) == other(records)


@pytest.mark.parametrize("other", ["sd", "stage1"])
def test_cascade__a_later_stage_that_enlarges_nothing(model, other):
    first, _ = model("if")
    generator = IFCascade(str(first), str(first if other == "stage1" else model(other)))
    with pytest.raises(ConfigError, match="which enlarges no picture; a later stage takes a model of super-resolution"):
        generator([planned_record("cup", 1, generator)])
