import importlib.util
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_gen.cli import main
from divergen_gen.testing import planned_record
from divergen_records import ConfigError

pytest.importorskip("diffusers", exc_type=ImportError)
import torch
from divergen_gen import DiffusersConfig, DiffusersGenerator
from divergen_gen.crops import read_crops
from divergen_gen.diffusion.adapters import open_personal
from divergen_gen.diffusion.model import Model
from divergen_gen.diffusion.perfusion import Edit, EditedValue, LockedKey, cross_attentions, edit_attention
from divergen_gen.diffusion.weights import fingerprint_file
from divergen_gen.personalize import run
from divergen_gen.personalize.files import personal_file
from divergen_gen.personalize.run import personalize
from divergen_gen.personalize.training import Trainer, Training
from filelock import FileLock
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SETTINGS = {"steps": 2, "size": 32, "dtype": "float32", "batch_size": 2, "image_format": "png"}


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).parent.parent / "tiny.py")
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return str(tiny.stable_diffusion(tmp_path_factory.mktemp("models") / "sd"))


@pytest.fixture(scope="session")
def trained(model, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("personal")
    training = Training("perfusion", steps=300, batch_size=8, lr=0.1)
    return out, personalize(dataset, model, out, categories=["cup"], training=training, size=32, progress=False)


def fixed_loss(model, dataset, weights):
    """The denoising loss on the crops with one fixed noise, without weights or with some of a category."""
    trainer = Trainer(Model(model=model, dtype="float32"), torch.device("cpu"), Training(), ["a cup", "a red car"])
    crops = read_crops(dataset, dataset.categories[0], size=32, limit=8)
    with torch.no_grad():
        moments, masks = trainer.latents(crops)
        moments, masks = moments.repeat(16, 1, 1, 1), masks.repeat(16, 1, 1, 1)
        plain = trainer.encode(["a photo of a cup"])
        if weights is not None:
            weights.attach(trainer.pipe, "picture")
            plain = weights.encode(
                trainer.pipe, "a photo of a cup", lambda prompt: {"prompt_embeds": trainer.encode([prompt])}
            )["prompt_embeds"]
        encodings = plain.expand(len(moments), -1, -1)
        return trainer.loss(encodings, moments, masks, torch.Generator().manual_seed(0)).item()


def test_crops__show_the_object_in_the_middle(dataset):
    crops = read_crops(dataset, dataset.categories[0], size=32, limit=2)
    assert crops.images.shape == (2, 32, 32, 3)
    assert (crops.images[0, 16, 16] == (200, 30, 30)).all()
    assert crops.masks[0].mean() == pytest.approx(np.pi * 20**2 / (41 * 1.4) ** 2, rel=0.03)
    ys, xs = np.nonzero(crops.masks[0])
    assert (ys.mean(), xs.mean()) == (pytest.approx(15.5, abs=0.6), pytest.approx(15.5, abs=0.6))


def test_personalize__the_loss_on_the_crops_falls(model, dataset, trained):
    weights = open_personal(trained[0])["cup"]
    assert fixed_loss(model, dataset, weights) < 0.97 * fixed_loss(model, dataset, None)


def test_personalize__lora_lowers_the_loss_too(model, dataset, tmp_path):
    training = Training("lora", steps=60, batch_size=8, lr=0.02)
    (one,) = personalize(dataset, model, tmp_path, categories=["cup"], training=training, size=32, progress=False)
    assert one.last < one.first
    weights = open_personal(tmp_path)["cup"]
    assert fixed_loss(model, dataset, weights) < 0.97 * fixed_loss(model, dataset, None)


def test_personalize__leaves_the_model_as_it_was(model, dataset, tmp_path):
    for method in ("perfusion", "lora"):
        trainer = Trainer(
            Model(model=model, dtype="float32"), torch.device("cpu"), Training(method, steps=2), ["a cup"]
        )
        before = {name: tensor.clone() for name, tensor in trainer.pipe.unet.state_dict().items()}
        text = {name: tensor.clone() for name, tensor in trainer.pipe.text_encoder.state_dict().items()}
        crops = read_crops(dataset, dataset.categories[0], size=32, limit=2)
        assert len(list(trainer.train("cup", "cup", crops, 0))) == 3
        after = trainer.pipe.unet.state_dict()
        assert set(after) == set(before)
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert all(torch.equal(trainer.pipe.text_encoder.state_dict()[name], tensor) for name, tensor in text.items())


def test_perfusion__keys_of_the_concept_are_those_of_its_super_category(model, trained):
    trainer = Trainer(Model(model=model, dtype="float32"), torch.device("cpu"), Training(), ["a cup"])
    weights = open_personal(trained[0])["cup"]
    keys: dict[str, list[torch.Tensor]] = {}
    unet = trainer.pipe.unet

    def run(encodings):
        layers = {name: module.to_k for name, module in cross_attentions(unet).items()}
        hooks = [
            layer.register_forward_hook(lambda _, __, out, name=name: keys.setdefault(name, []).append(out))
            for name, layer in layers.items()
        ]
        with torch.no_grad():
            image = unet(torch.ones(1, 4, 16, 16), 10, encodings).sample
        for hook in hooks:
            hook.remove()
        return image

    prompt = "a red cup in the background"
    plain = trainer.encode([prompt])
    before = run(plain)
    own = weights.encode(trainer.pipe, prompt, lambda text: {"prompt_embeds": trainer.encode([text])})
    assert not torch.equal(own["prompt_embeds"][..., : plain.shape[-1]], plain)
    weights.attach(trainer.pipe, "picture")
    edited = run(own["prompt_embeds"])
    weights.detach(trainer.pipe, "picture")
    assert keys
    assert all(torch.equal(*pair) for pair in keys.values())
    assert not torch.allclose(before, edited)
    assert torch.equal(run(plain), before)


def test_perfusion__edit_is_rank_one_gated_and_exact_at_the_concept():
    torch.manual_seed(0)
    width, linear = 8, torch.nn.Linear(8, 5, bias=False)
    factor = torch.randn(width, width)
    inverse = factor @ factor.T + torch.eye(width)
    concept, target = torch.randn(width), torch.randn(5)
    edit = Edit(concept, inverse @ concept)
    value, key = EditedValue(linear, width, edit, target), LockedKey(linear, width)
    other = torch.randn(width)
    other -= concept * (other @ edit.dual) / (concept @ edit.dual)  # no share of the concept in it
    tokens = torch.stack([torch.cat([concept, other]), torch.cat([other, concept])])[None]
    with torch.no_grad():
        got, keys = value(tokens)[0], key(tokens)[0]
        gates = torch.sigmoid((torch.tensor([1.0, 0.0]) - edit.beta) / edit.tau)
        assert torch.allclose(got[0], gates[0] * target, atol=1e-5)
        assert torch.allclose(got[1], linear(other) + gates[1] * target, atol=1e-5)
        assert torch.equal(keys, linear(tokens[0, :, width:]))


def test_generator__personal_weights_change_their_category_only(model, trained):
    plain, own = DiffusersGenerator(model, **SETTINGS), DiffusersGenerator(model, personal=trained[0], **SETTINGS)
    records = [
        planned_record(name, seed, plain, f"a red {name}") for seed, name in enumerate(("car", "cup", "car", "cup"))
    ]
    made = own(records)
    assert [r.error for r in made] == [None] * 4
    assert [a.image == b.image for a, b in zip(plain(records), made, strict=True)] == [True, False, True, False]
    assert own.revision != plain.revision


def test_generator__personal_weights_need_the_word(model, trained):
    generator = DiffusersGenerator(model, personal=trained[0], **SETTINGS)
    (record,) = generator([planned_record("cup", 1, generator, "a red teapot")])
    assert "does not say 'cup'" in record.error


def test_perfusion__file_is_small(trained):
    out, (one,) = trained
    assert one.path == out / "cup.safetensors"
    assert one.path.stat().st_size < 20_000
    assert size_for_sd15(label_tokens=3) < 100_000


def size_for_sd15(label_tokens):
    """Bytes of the tensors for the real U-Net: 16 cross-attentions of 320, 640 and 1280 channels, text of 768."""
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel

    with init_empty_weights():
        unet = UNet2DConditionModel(
            cross_attention_dim=768, sample_size=64, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8
        )
    layers = cross_attentions(unet)
    assert len(layers) == 16
    return 4 * (sum(layer.to_v.out_features for layer in layers.values()) + (2 + label_tokens) * 768)


def test_personalize__goes_on_where_it_was(model, dataset, tmp_path):
    def train(*names, steps=2):
        training = Training("perfusion", steps=steps)
        return personalize(dataset, model, tmp_path, categories=names, training=training, size=32, progress=False)

    train("cup")
    before = (tmp_path / "cup.safetensors").stat().st_mtime_ns
    cup, car, teapot = train("cup", "car", "teapot")
    assert (cup.crops, car.crops) == (0, 3)
    assert "no object of at least 32 pixels" in teapot.error
    assert (tmp_path / "cup.safetensors").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=r"2 steps of 4 crops.* wanted is .* 3 steps of 4 crops.* Delete it"):
        train("cup", steps=3)


def test_personalize__leaves_what_another_process_trains_to_it(model, dataset, tmp_path, monkeypatch):
    """The other ends while this one trains the rest; this one then has nothing to wait for."""
    other = FileLock(tmp_path / ".cup.safetensors.lock")
    other.acquire()
    trained = []

    def train_one(job, category, path):
        trained.append(category.name)
        path.write_bytes(b"")
        if category.name == "car":
            other.release()
        return category.name

    monkeypatch.setattr(run, "_train_one", train_one)
    assert run.personalize(dataset, model, tmp_path, categories=["cup", "car"], progress=False) == ["cup", "car"]
    assert trained == ["car", "cup"]


def test_personalize__a_label_that_no_prompt_holds_is_that_categorys_error(model, dataset, tmp_path):
    named = [one.model_copy(update={"name": f"{one.name} {'x' * 15}"}) for one in dataset.categories]
    long = dataset.replace(categories=named)
    (cup,) = personalize(long, model, tmp_path, categories=[named[0].name], size=32, progress=False)
    assert "is not found in any prompt of 16 tokens" in cup.error


def test_personal_file__no_two_categories_share_one(tmp_path):
    names = ["bow_(weapon)", "a b", "a_b", "a/b", ".a", "a", "A", "caf\u00e9", "cafe\u0301", "\u00df", "ss", "x" * 300]
    found = [personal_file(tmp_path, name).name for name in [*names, f"{'x' * 300}y", "con", "Aux", "-rf", "a\nb"]]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in found}) == len(found)
    assert max(len(name.encode()) for name in found) <= 200
    assert not {"con.safetensors", "aux.safetensors"} & {name.casefold() for name in found}
    assert personal_file(tmp_path, names[0]).name == "bow_(weapon).safetensors"


def test_personal_training__is_told_from_files_and_needs_a_folder(model, dataset, tmp_path):
    config = DiffusersConfig(model=model, personal={"method": "perfusion", "steps": 2, "crops": "train"}, size=32)
    assert DiffusersConfig(model=model, personal={"cup": "cup.safetensors"}).personal == {
        "cup": Path("cup.safetensors")
    }
    with pytest.raises(ConfigError, match="takes real data"):
        config.build()
    placed = config.model_copy(update={"personal": config.personal.model_copy(update={"folder": tmp_path / "p"})})
    assert placed.build().revision == config.revision  # before anything is trained
    (one,) = run.personalize_for(placed, dataset, ["cup"], progress=False)
    assert one.path == tmp_path / "p" / "cup.safetensors"
    assert list(open_personal(placed.personal)) == ["cup"]
    assert placed.build().revision == config.revision != DiffusersConfig(model=model, size=32).revision


def test_personalize__same_seed_same_file(model, dataset, tmp_path):
    for name in ("one", "two"):
        training = Training("perfusion", steps=3)
        personalize(dataset, model, tmp_path / name, categories=["cup"], training=training, size=32, progress=False)
    one, two = (load_file(tmp_path / name / "cup.safetensors") for name in ("one", "two"))
    assert set(one) == set(two)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert len({fingerprint_file(tmp_path / name / "cup.safetensors") for name in ("one", "two")}) == 1


def test_personalize__refuses_an_unknown_category(model, dataset, tmp_path):
    with pytest.raises(ConfigError, match="has no category 'dragon'"):
        personalize(dataset, model, tmp_path, categories=["dragon"], progress=False)


def test_edit_attention__refuses_weights_of_another_model(model):
    from divergen_records import WeightsError

    trainer = Trainer(Model(model=model, dtype="float32"), torch.device("cpu"), Training(), ["a cup"])
    edit = Edit(torch.ones(32), torch.ones(32))
    with pytest.raises(WeightsError, match="other attention layers"):
        edit_attention(trainer.pipe.unet, edit, {"elsewhere": torch.ones(4)})


def test_personalize__command(model, dataset, tmp_path):
    arguments = ["personalize", str(dataset.path), "--images", str(dataset.image_dir), "--model", model]
    arguments += ["--out", str(tmp_path / "p"), "-c", "cup", "--steps", "2", "--size", "32", "--device", "cpu"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "cup.safetensors: 3 crops, loss" in result.output
    assert "was there" in CliRunner().invoke(main, arguments).output
    wrong = CliRunner().invoke(main, [*arguments, "-c", "cupp"])
    assert wrong.exit_code == 2
    assert "has no category 'cupp'; did you mean 'cup'?" in wrong.output


@pytest.mark.parametrize("method", ["lora", "perfusion"])
def test_personalize__what_diverges_is_a_loss_and_leaves_no_file(model, dataset, tmp_path, method):
    arguments = ["personalize", str(dataset.path), "--images", str(dataset.image_dir), "--model", model, "--size", "32"]
    arguments += ["--out", str(tmp_path / "p"), "-c", "cup", "--steps", "4", "--device", "cpu", "--method", method]
    result = CliRunner().invoke(main, [*arguments, "--lr", "1e30"])
    assert result.exit_code == 1, result.output  # nothing is left
    assert "is not a number; lower lr=1e+30" in result.output
    assert not list((tmp_path / "p").glob("*.safetensors"))
