from typing import get_args

import numpy as np
import pytest
from divergen_gen import Generator, ProceduralConfig, ProceduralGenerator, procedural
from divergen_gen.config import GeneratorConfig
from divergen_gen.testing import FakeGenerator, check_generator, planned_record
from divergen_records import ConfigError
from divergen_records.images import read_image
from pydantic import TypeAdapter, ValidationError


@pytest.mark.parametrize(
    "build",
    [FakeGenerator, lambda: ProceduralConfig(size=64).build(), lambda: ProceduralConfig(size=64, workers=2).build()],
    ids=["fake", "procedural", "procedural in processes"],
)
def test_every_generator__keeps_the_contract(build):
    made = []

    def tracked():
        made.append(build())
        return made[-1]

    check_generator(tracked, "teapot")
    for generator in made:
        if isinstance(generator, ProceduralGenerator):
            generator.close()


def test_check_generator__notices_a_counter():
    class Counting(FakeGenerator):
        def __call__(self, records):
            shifted = [record.model_copy(update={"seed": record.seed + len(self.calls)}) for record in records]
            made = super().__call__(shifted)
            return [m.model_copy(update={"seed": r.seed}) for m, r in zip(made, records, strict=True)]

    with pytest.raises(AssertionError, match="depends on its record only"):
        check_generator(Counting, "teapot")


def test_procedural_generator__is_a_generator():
    assert isinstance(ProceduralGenerator(), Generator)


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp"])
def test_procedural_generator__completes_a_record(image_format):
    generator = ProceduralGenerator(size=48, image_format=image_format)
    (record,) = generator([planned_record("cup", 5, generator)])
    assert (record.width, record.height, record.image_format) == (48, 48, image_format)
    assert read_image(record.image).shape == (48, 48, 3)
    alpha = read_image(record.alpha)[..., 0]
    assert 0.02 < np.mean(alpha > 127) < 0.9


def test_procedural_generator__unknown_category_is_a_row_error_and_the_rest_goes_on():
    generator = ProceduralGenerator(size=48)
    dragon, cup = generator([planned_record("dragon", 1, generator), planned_record("cup", 1, generator)])
    assert (dragon.error_stage, dragon.image) == ("gen", None)
    assert "no program for category 'dragon'" in dragon.error
    assert cup.error is None


def test_procedural_generator__draws_what_the_prompt_says():
    generator = ProceduralGenerator(size=64)
    red, blue = (
        generator([planned_record("cup", 3, generator, f"a {colour} cup, in a white background")])[0]
        for colour in ("red", "blue")
    )
    inside = read_image(red.alpha)[..., 0] > 200
    assert read_image(red.image)[inside].mean(0).argmax() == 0
    assert read_image(blue.image)[read_image(blue.alpha)[..., 0] > 200].mean(0).argmax() == 2


def test_procedural_generator__unknown_style():
    with pytest.raises(ConfigError, match="photo"):
        ProceduralGenerator(style="oil")


def test_procedural_config__same_revision_as_what_it_builds():
    for style in procedural.STYLES:
        config = ProceduralConfig(style=style, size=64, quality=80)
        assert config.build().revision == config.revision


def test_procedural_config__revision_changes_with_what_changes_pictures():
    base = ProceduralConfig()
    changed = [{"style": "cgi"}, {"size": 128}, {"image_format": "webp"}, {"quality": 90}, {"spoilt": "torn"}]
    assert len({base.revision, *(ProceduralConfig(**settings).revision for settings in changed)}) == 6
    assert ProceduralConfig(workers=2).revision == base.revision


def test_procedural_generator__spoilt_pictures():
    assert set(get_args(get_args(ProceduralConfig.model_fields["spoilt"].annotation)[0])) == set(procedural.SPOILT)
    prompt = "a photo of a single cup, in a white background"

    def draw(spoilt, seed):
        config = ProceduralConfig(size=64, image_format="png", spoilt=spoilt)
        generator = config.build()
        assert generator.revision == config.revision
        (record,) = generator([planned_record("cup", seed, generator, prompt)])
        return read_image(record.image), read_image(record.alpha)[..., 0] > 127

    for seed in range(5):
        (_, whole), (_, torn), (speckled, covered) = (draw(spoilt, seed) for spoilt in (None, "torn", "noise"))
        assert 0.2 < torn.sum() / whole.sum() < 0.8
        assert covered.sum() == whole.sum()
        assert speckled[covered].std() > 50
    assert sum(draw("astray", seed)[1].sum() != draw(None, seed)[1].sum() for seed in range(5)) >= 4
    with pytest.raises(ConfigError, match="torn"):
        ProceduralGenerator(spoilt="melted")


def test_generator_config__told_apart_by_kind():
    adapter = TypeAdapter(GeneratorConfig)
    assert adapter.validate_python({"kind": "procedural", "size": 64}) == ProceduralConfig(size=64)
    with pytest.raises(ValidationError, match="procedural"):
        adapter.validate_python({"kind": "magic"})
    with pytest.raises(ValidationError, match="not a style"):
        adapter.validate_python({"kind": "procedural", "style": "oil"})
