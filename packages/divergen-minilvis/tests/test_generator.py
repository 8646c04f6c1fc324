from typing import get_args

import numpy as np
import pytest
from divergen_minilvis import ProceduralConfig, ProceduralGenerator, renderer
from divergen_minilvis.generator import revision
from divergen_records import ConfigError, InstanceRecord, instance_id
from divergen_records.images import read_image
from pydantic import ValidationError


def planned_record(category, seed, generator, prompt=None):
    planned = {
        "category": category,
        "prompt": prompt or f"a photo of a single {category}, in a white background",
        "generator": generator.name,
        "generator_revision": generator.revision,
        "seed": seed,
    }
    return InstanceRecord(id=instance_id(**planned), category_id=1, **planned)


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
    for style in renderer.STYLES:
        config = ProceduralConfig(style=style, size=64, quality=80)
        assert config.build().revision == config.revision


def test_procedural_config__revision_changes_with_what_changes_pictures():
    base = ProceduralConfig()
    changed = [{"style": "cgi"}, {"size": 128}, {"image_format": "webp"}, {"quality": 90}, {"spoilt": "torn"}]
    assert len({base.revision, *(ProceduralConfig(**settings).revision for settings in changed)}) == 6
    assert ProceduralConfig(workers=2).revision == base.revision


def test_procedural_generator__spoilt_pictures():
    assert set(get_args(get_args(ProceduralConfig.model_fields["spoilt"].annotation)[0])) == set(renderer.SPOILT)
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


def test_procedural_config__unknown_style():
    with pytest.raises(ValidationError, match="not a style"):
        ProceduralConfig(style="oil")


def test_revision__of_a_box_from_before_styles_had_numbers_of_their_own():
    kept = "procedural-1/cgi/256px/jpeg-95/modes-a760496d6109093c5e24b6d2ade77b34"
    assert revision(style="cgi", size=256, image_format="jpeg", quality=95, box="modes") == kept
