"""Pictures that stay near real objects: image-to-image and IP-Adapter, against the pipelines themselves."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from divergen_gen import DiffusersGenerator
from divergen_gen.cli import main
from divergen_gen.command import parse_generator
from divergen_gen.diffusion.guide import Guide
from divergen_gen.testing import check_generator, planned_record
from divergen_records import ConfigError, InstanceTable, PromptRecord, WeightsError
from divergen_records.images import read_image
from PIL import Image

SETTINGS = {"steps": 4, "size": 32, "dtype": "float32", "batch_size": 2, "device": "cpu", "image_format": "png"}


@pytest.fixture(scope="session")
def adapter(tiny, model, tmp_path_factory):
    """The folder of an IP-Adapter for a tiny model."""
    made = {}

    def build(name="sd"):
        if name not in made:
            made[name] = tiny.ip_adapter(tmp_path_factory.mktemp("adapters") / name, Path(model(name)))
        return made[name]

    return build


def guided(folder, dataset, guide, **changes):
    return DiffusersGenerator(str(folder), image=Guide(**guide).on(dataset), **{**SETTINGS, **changes})


def crop_of(dataset, record, **settings):
    return Image.fromarray(Guide(**settings).on(dataset).crops.read(dataset.annotations[int(record) - 1], (32, 32)))


def closeness(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max()


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_generator__makes_what_image_to_image_makes(model, dataset, name):
    from diffusers import AutoPipelineForImage2Image

    generator = guided(model(name), dataset, {"strength": 0.5})
    records = generator([planned_record("cup", seed, generator, "a red cup") for seed in (5, 6, 7)])
    pipe = AutoPipelineForImage2Image.from_pretrained(model(name))
    pipe.set_progress_bar_config(disable=True)
    sized = {"height": 32, "width": 32} if name in ("sd3", "flux") else {}
    for record in records:
        image = pipe(
            "a red cup",
            image=crop_of(dataset, record.source_annotation),
            strength=0.5,
            num_inference_steps=4,
            generator=torch.Generator("cpu").manual_seed(record.seed),
            output_type="np",
            **sized,
        ).images[0]
        assert closeness(np.round(image * 255), read_image(record.image)) <= 1


@pytest.mark.parametrize(("name", "guidance", "strength"), [("sd", 7.5, None), ("sd", 1.0, 0.5), ("sdxl", 5.0, None)])
def test_generator__makes_what_an_adapter_makes(model, adapter, dataset, name, guidance, strength):
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image

    guide = {"adapter": str(adapter(name)), "scale": 0.7, "strength": strength}
    generator = guided(model(name), dataset, guide, guidance=guidance)
    records = generator([planned_record("cup", seed, generator, "a red cup") for seed in (5, 6)])
    kind = AutoPipelineForText2Image if strength is None else AutoPipelineForImage2Image
    pipe = kind.from_pretrained(model(name))
    pipe.load_ip_adapter(
        str(adapter(name)), subfolder="models", weight_name="ip-adapter_sd15.safetensors", local_files_only=True
    )
    pipe.set_ip_adapter_scale(0.7)
    pipe.set_progress_bar_config(disable=True)
    for record in records:
        crop = crop_of(dataset, record.source_annotation)
        begun = {"height": 32, "width": 32} if strength is None else {"image": crop, "strength": strength}
        image = pipe(
            "a red cup",
            ip_adapter_image=crop,
            guidance_scale=guidance,
            num_inference_steps=4,
            generator=torch.Generator("cpu").manual_seed(record.seed),
            output_type="np",
            **begun,
        ).images[0]
        assert closeness(np.round(image * 255), read_image(record.image)) <= 1
    plain = DiffusersGenerator(str(model(name)), guidance=guidance, **SETTINGS)
    (other,) = plain([planned_record("cup", 5, plain, "a red cup")])
    assert closeness(read_image(other.image), read_image(records[0].image)) > 2


def test_generator__keeps_the_contract(model, dataset):
    check_generator(lambda: guided(model("sd"), dataset, {}), "cup")


def test_guide__the_object_is_of_the_category_and_follows_from_the_id(model, dataset):
    generator = guided(model("sd"), dataset, {"strength": 0.3})
    planned = [planned_record(name, seed, generator) for seed in range(8) for name in ("cup", "car", "teapot", "zebra")]
    made = {record.id: record for record in generator(planned)}
    chosen = {name: {made[r.id].source_annotation for r in planned if r.category == name} for name in ("cup", "car")}
    assert chosen["cup"] <= {"1", "3", "5"} and len(chosen["cup"]) > 1
    assert chosen["car"] <= {"2", "4", "6"}
    for record in planned:
        if record.category in ("teapot", "zebra"):
            assert f"has no {record.category!r} of at least 32 pixels to begin from" in made[record.id].error
    again = guided(model("sd"), dataset, {"strength": 0.3})(planned[-4:])
    assert [record.image for record in again] == [made[record.id].image for record in again]


def test_guide__white_around_the_object_unless_its_own_is_wanted(dataset):
    white, own = (np.asarray(crop_of(dataset, "1", background=name)) for name in ("white", "own"))
    assert (white[0, 0] == 255).all() and (own[0, 0] == 220).all()
    assert (white[16, 16] == (200, 30, 30)).all() and (own[16, 16] == white[16, 16]).all()
    wide = Guide().on(dataset).crops.read(dataset.annotations[0], (32, 64))
    assert wide.shape == (32, 64, 3)
    seen = (wide != 255).any(axis=2)
    assert abs(seen.any(axis=0).sum() - seen.any(axis=1).sum()) <= 1  # a disc stays a disc


def test_guide__an_object_that_cannot_be_read_is_that_rows_error(model, dataset, tmp_path):
    folder = Path(shutil.copytree(dataset.image_dir, tmp_path / "data"))
    (folder / "0.png").write_bytes(b"no picture")
    generator = guided(model("sd"), dataset.replace(image_dir=folder), {})
    made = generator([planned_record("cup", seed, generator) for seed in range(16)])
    failed = [record.error for record in made if record.error]
    assert 0 < len(failed) < 16 and all("the real object 1 cannot be read" in error for error in failed)


def test_guide__another_data_set_is_named_whatever_folder_a_run_goes_on_from(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(dataset.path.parent)
    guide = Guide(**{"from": "train.json", "images": "."})
    monkeypatch.chdir(tmp_path)
    assert guide.crops.identity == Guide().on(dataset).crops.identity
    assert guide.on(dataset) is guide and Guide(**guide.model_dump()).crops.identity == guide.crops.identity


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"strength": 0.6}, True),
        ({"strength": 0.5}, False),
        ({"background": "own"}, False),
        ({"smallest": 20}, False),
        ({"images": "elsewhere"}, True),
    ],
)
def test_config__revision_follows_what_is_begun_from(model, dataset, change, same):
    config = parse_generator(f"diffusers,model={model('sd')},steps=4,image={{from: real-crops}}").on(dataset)
    other = parse_generator(f"diffusers,model={model('sd')},steps=4,image.from=real-crops")
    other = other.model_copy(update={"image": other.image.model_copy(update=change)}).on(dataset)
    assert (other.revision == config.revision) == same
    fewer = config.on(dataset.replace(annotations=dataset.annotations[:-1]))
    assert fewer.revision != config.revision == config.build().revision
    assert parse_generator(f"diffusers,model={model('sd')},steps=4").revision != config.revision


def broken(folder, what):
    """The settings of an adapter that is not as it should be."""
    models = folder / "models"
    file = models / "ip-adapter_sd15.safetensors"
    if what == "no encoder":
        shutil.rmtree(models / "image_encoder")
    elif what == "cut off":
        file.write_bytes(file.read_bytes()[:-9])
    elif what == "a pickle":
        file.unlink()
        torch.save({}, models / "ip-adapter_sd15.bin")
        return {"weights": "models/ip-adapter_sd15.bin"}
    elif what == "two of them":
        shutil.copy(file, models / "plus.safetensors")
    elif what == "another name":
        return {"weights": "models/nothing.safetensors"}
    return {}


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ("no encoder", "sd", "has no image encoder in models/image_encoder; name its folder"),
        ("cut off", "sd", "the download was cut off"),
        ("a pickle", "sd", "as a pickle"),
        ("two of them", "sd", "has 2 adapters .*; name one: image.weights="),
        ("another name", "sd", "has no file models/nothing.safetensors"),
        ("another model's", "sdxl", "does not fit StableDiffusionXLPipeline"),
        ("no unet", "flux", "takes no IP-Adapter"),
    ],
)
def test_adapter__what_is_wrong_is_a_sentence(model, adapter, dataset, tmp_path, what, name, message):
    folder = Path(shutil.copytree(adapter("sd"), tmp_path / "adapter"))
    guide = {"adapter": str(folder), **broken(folder, what)}
    with pytest.raises((WeightsError, ConfigError), match=message):
        generator = guided(model(name), dataset, guide)
        generator([planned_record("cup", 1, generator)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps=1,image={from: real-crops}", "steps=1 of image.strength=0.6 leave none to draw"),
        ("image={from: real-crops, strenght: 0.3}", "did you mean 'strength'?"),
        ("image={from: real-crops, strength: 0}", "strength"),
    ],
)
def test_config__refuses_what_makes_no_sense(text, message):
    with pytest.raises(ConfigError) as error:
        parse_generator(f"diffusers,model=a/b,{text}")
    assert message in str(error.value)


def test_command__rows_say_what_they_are_near(model, dataset, tmp_path):
    rows = [
        PromptRecord(text=f"a red {name}", category_id=number, category=name, source="t")
        for number, name in enumerate(("cup", "car"))
    ]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(row.model_dump_json() for row in rows))
    text = f"diffusers,model={model('sd')},steps=2,size=32,dtype=float32,batch_size=2,image={{from: real-crops}}"
    line = ["run", str(path), "-g", text, "--per-category", "4"]

    def call(*more, status=0):
        result = CliRunner().invoke(main, [*line, *map(str, more)])
        assert result.exit_code == status, result.output
        return result.output

    real = ("--crops", dataset.path, "--images", dataset.image_dir)
    assert "--crops train.json" in call("--table", tmp_path / "none.lance", status=2)
    call("--table", tmp_path / "whole.lance", *real)
    for shard in ("1/2", "0/2"):
        call("--table", tmp_path / "parts.lance", *real, "--shard", shard)
    columns = ["id", "category", "source_annotation", "image"]
    whole, parts = (
        {row["id"]: row for row in InstanceTable.open(tmp_path / name).select(columns).to_pylist()}
        for name in ("whole.lance", "parts.lance")
    )
    assert whole == parts and len(whole) == 8
    odd = {"cup": 1, "car": 0}
    assert all(int(row["source_annotation"]) % 2 == odd[row["category"]] for row in whole.values())
    line[3] = "fake"
    assert "no generator begins from real objects" in call("--table", tmp_path / "fake.lance", *real, status=2)
