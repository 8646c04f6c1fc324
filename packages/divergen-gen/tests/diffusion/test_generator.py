import numpy as np
import pytest
import torch
from divergen_gen import generate, plan
from divergen_gen.execution import truncations_file
from divergen_gen.testing import check_generator, planned_record
from divergen_records import InstanceTable, PromptRecord, Shard, derive_seed
from divergen_records.images import read_image


def prompts(count, category="cup"):
    colours = ("red", "blue", "white", "old", "metal", "small")
    return [
        PromptRecord(text=f"a {colours[i]} {category}", category_id=1, category=category, source="t")
        for i in range(count)
    ]


def pictures(table):
    return {record.id: (record.image, record.seed, record.error) for record in table.records()}


@pytest.fixture
def table(tmp_path):
    return InstanceTable.create(tmp_path / "instances.lance")


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_generator__keeps_the_contract(build, name):
    check_generator(lambda: build(name), "cup")


@pytest.mark.parametrize(("name", "encoders"), [("sd", 1), ("sdxl", 2), ("sd3", 3), ("flux", 2)])
def test_generate__reads_each_prompt_once(build, table, count_encodes, name, encoders):
    generator = build(name)
    planned = plan(prompts(3), [generator], counts=7)
    (report,) = generate(table, planned, [generator], progress=False)
    assert (report.done, report.failed, report.skipped) == (7, 0, 0)
    guided = 0 if name == "flux" else 1  # Flux is distilled and takes no negative prompt
    # SDXL without a negative prompt uses zeros, the others encode an empty one.
    negatives = 0 if name == "sdxl" else guided
    assert len(count_encodes) == encoders * (3 + negatives)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_generator__makes_what_the_pipeline_makes(build, model, name):
    from diffusers import DiffusionPipeline

    negative = {} if name == "flux" else {"negative_prompt": "old"}
    generator = build(name, image_format="png", batch_size=1, **negative)
    record = generator([planned_record("cup", 5, generator, "a red cup")])[0]
    pipe = DiffusionPipeline.from_pretrained(model(name))
    pipe.set_progress_bar_config(disable=True)
    source = torch.Generator("cpu").manual_seed(5)
    image = pipe(
        "a red cup", **negative, generator=source, num_inference_steps=2, height=32, width=32, output_type="np"
    ).images[0]
    assert np.abs(np.round(image * 255) - read_image(record.image)).max() <= 1


def test_generate__same_table_whatever_the_order_shards_and_resume(build, tmp_path):
    tables = [InstanceTable.create(tmp_path / f"{i}.lance") for i in range(3)]
    whole = plan(prompts(3), [build()], counts=9)
    generate(tables[0], whole, [build()], progress=False)
    for index in (1, 0):
        generate(tables[1], whole, [build()], shard=Shard(index, 2), progress=False)
    part = plan(prompts(3)[:2], [build()], counts=4)
    generate(tables[2], part, [build()], progress=False)
    generate(tables[2], whole, [build()], progress=False)
    assert pictures(tables[0]) == pictures(tables[1])
    assert pictures(tables[0]).items() <= pictures(tables[2]).items()


def test_generator__batch_sizes_agree_to_rounding(build):
    made = []
    for size in (1, 3):
        generator = build(batch_size=size, image_format="png")
        made.append(generator([planned_record("cup", seed, generator) for seed in range(3)]))
    for one, other in zip(*made, strict=True):
        assert one.id == other.id
        difference = read_image(one.image).astype(int) - read_image(other.image).astype(int)
        assert np.abs(difference).max() <= 1


def test_generator__out_of_memory_halves_the_batch(build, monkeypatch):
    generator = build(batch_size=8)
    sizes = []
    original = generator.backend.draw

    def draw(tasks, steps=None):
        sizes.append(len(tasks))
        if len(tasks) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(tasks, steps)

    monkeypatch.setattr(generator.backend, "draw", draw)
    made = generator([planned_record("cup", seed, generator) for seed in range(5)])
    assert sizes == [8, 4, 2, 2, 2]
    small = build(batch_size=2)
    assert made == small([planned_record("cup", seed, generator) for seed in range(5)])


@pytest.mark.parametrize("fault", ["blank", "NaN", "refused"])
def test_generator__bad_pictures_get_another_seed(build, monkeypatch, fault):
    from dataclasses import replace

    generator = build(retries=2)
    original = generator.backend.draw

    def draw(tasks, steps=None):
        drawn = original(tasks, steps)
        for at, task in enumerate(tasks):
            if task.record.seed == 1 or (task.record.seed == 2 and not task.attempt):
                if fault == "blank":
                    drawn.pixels[at] = 0
                elif fault == "NaN":
                    drawn.finite[at] = False
                else:
                    drawn = replace(drawn, flagged=[i == at or f for i, f in enumerate(drawn.flagged)])
        return drawn

    monkeypatch.setattr(generator.backend, "draw", draw)
    planned = [planned_record("cup", seed, generator) for seed in (1, 2, 3)]
    lost, again, good = generator(planned)
    assert fault in lost.error
    assert (lost.seed, lost.image) == (1, None)
    assert (again.id, again.seed, again.error) == (planned[1].id, derive_seed(2, "again", 1), None)
    direct = build()([planned_record("cup", again.seed, generator)])[0]
    assert direct.image == again.image
    assert good.seed == 3


def test_generate__lists_prompts_that_are_too_long(build, table):
    generator = build()
    long = PromptRecord(text="a red cup " * 9, category_id=1, category="cup", source="t")
    planned = plan([*prompts(1), long], [generator], counts=2)
    generate(table, planned, [generator], progress=False)
    assert [(t.prompt, t.encoder, t.tokens, t.limit) for t in generator.truncated] == [(long.text, "tokenizer", 29, 16)]
    assert '"tokens": 29, "limit": 16' in truncations_file(table).read_text()
    assert table.count("error IS NULL") == 2


def test_generator__spilled_embeddings_make_the_same_pictures(build):
    kept, spilled = build(), build(text_memory=0)
    records = [planned_record("cup", seed, kept, f"a {word} cup") for seed, word in enumerate(("red", "blue", "old"))]
    assert kept(records) == spilled(records)
    assert spilled.backend.readers[0]._store.spilled > 0


def test_generator__new_prompts_after_the_first_pictures(build):
    generator = build()
    first = generator([planned_record("cup", 1, generator, "a red cup")])
    second = generator([planned_record("cup", 1, generator, "a blue cup")])
    assert first[0].image != second[0].image
    assert second == build()([planned_record("cup", 1, generator, "a blue cup")])


def test_generator__a_pipeline_that_reads_its_prompts_itself(build, monkeypatch):
    monkeypatch.setattr("divergen_gen.diffusion.reader.reads_prompt_apart", lambda kind: False)
    generator, apart = (
        build(image_format="png", negative_prompt="old"),
        build(image_format="png", negative_prompt="old"),
    )
    records = [planned_record("cup", seed, generator) for seed in range(2)]
    whole = generator(records)
    monkeypatch.undo()
    for one, other in zip(whole, apart(records), strict=True):
        assert np.abs(read_image(one.image).astype(int) - read_image(other.image)).max() <= 1


def test_generator__options_change_what_they_should(build):
    plain = build(image_format="png")
    record = planned_record("cup", 1, plain)
    image = read_image(plain([record])[0].image).astype(int)
    for options in ({"channels_last": True}, {"attention_slicing": True, "vae_slicing": True}, {"offload": "model"}):
        same = build(image_format="png", **options)
        assert same.revision == plain.revision
        assert np.abs(read_image(same([record])[0].image) - image).max() <= 2
    for options in ({"scheduler": "EulerAncestralDiscreteScheduler"}, {"call": {"eta": 1.0}}, {"guidance": 1.0}):
        other = build(image_format="png", **options)
        assert other.revision != plain.revision
        assert np.abs(read_image(other([record])[0].image) - image).max() > 2


def test_generator__compiled_pictures_are_the_same_to_rounding(build, monkeypatch):
    """The compiler is replaced: what is tested is that it gets the denoiser, and that its result is used."""
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function, mode=None: compiled.append(mode) or function)
    record = planned_record("cup", 1, build())
    assert build(compile="max-autotune")([record]) == build()([record])
    assert compiled == ["max-autotune"]


def test_generator__device_time_is_a_share_of_wall_time(build):
    generator = build()
    generator([planned_record("cup", seed, generator) for seed in range(4)])
    assert 0 < generator.device_seconds <= generator.wall_seconds
    assert generator.note().startswith("device ")
