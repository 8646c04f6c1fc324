"""How well do the scores find planted faults? Rendered pictures against MiniLVIS, 20 % of them spoilt in five ways.

python benchmarks/planted_faults.py                      # the default rules, every score's ROC-AUC, a sheet
python benchmarks/planted_faults.py --reviews 200        # rules from 200 verdicts, on the other pictures
python benchmarks/planted_faults.py --judge model=qwen2.5-vl --judge base_url=http://localhost:8000/v1
python benchmarks/planted_faults.py --fills              # which fill of the crops tells categories apart

Needs the command divergen-gen for the pictures; no GPU, no download. Half of the clean pictures are drawn in a style
that MiniLVIS does not have.
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from divergen_filter import EmbedStage, References, decide_table, reference_embeddings, score_generated, write_sheet
from divergen_filter.basics import BasicsStage
from divergen_filter.columns import FolderColumns
from divergen_filter.config import CropConfig, EfficientNetLite0Config, ScoreConfig
from divergen_filter.review.thresholds import propose_rules
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path, now
from divergen_filter.rules import REAL_SCORES, Rule, RulesConfig
from divergen_filter.stages import ScoreStage
from divergen_records import InstanceRecord, InstanceTable, fill, instance_id
from divergen_records.coco import read_dataset
from divergen_records.images import encode_image, read_image
from divergen_records.masks import encode_rle, label_components, mask_to_bbox
from divergen_records.settings import apply_settings

FAULTS = ("wrong category", "broken mask", "blank", "blurred", "duplicate")
HIGH_IS_BAD = {"mahalanobis", "rival_share", "duplicate_similarity", "border_contact"}
SCORES = (*REAL_SCORES, "intra_similarity", "duplicate_similarity", "sharpness", "saturation", "contrast")
SIMPLE = ("area_fraction", "border_contact")
MASKS = tuple(rule for rule in RulesConfig().rules if rule.score not in REAL_SCORES)
OTHERS = (
    Rule(score="rival_margin", op=">=", threshold=0),
    Rule(score="inter_similarity", op=">=", threshold="calibrated"),
)
PICTURES = (
    Rule(score="contrast", op=">=", threshold=0.01),
    Rule(score="sharpness", op=">=", threshold=0.4),
    Rule(score="duplicate_similarity", op="<=", threshold=0.995),
)
RULES = {
    "area, components and border alone": RulesConfig(rules=MASKS),
    "default rules": RulesConfig(),
    **{f"default rules, {other} for rival_share": RulesConfig(rules=(*MASKS, other)) for other in OTHERS},
    f"default rules, {', '.join(map(str, PICTURES))}": RulesConfig(rules=(*RulesConfig().rules, *PICTURES)),
}
Planted = tuple[str | None, np.ndarray, np.ndarray]


def make_data(folder: Path, per_category: int, scenes: int, categories: int) -> tuple[Path, list[InstanceRecord]]:
    """MiniLVIS and clean pictures of its categories."""
    minilvis = folder / "minilvis"
    if not minilvis.exists():
        subprocess.run(
            ["divergen-minilvis", "make", "--out", minilvis, "--train-images", str(scenes), "--val-images", "10"],
            check=True,
        )
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    prompts = [
        {
            "text": f"a photo of a single {category.label}, in a white background",
            "category_id": category.id,
            "category": category.name,
            "source": "template",
        }
        for category in dataset.categories
    ]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    table = folder / "clean.lance"
    if not table.exists():
        styles = [option for style in ("photo", "cgi") for option in ("-g", f"procedural,name={style},style={style}")]
        command = ["divergen-gen", "run", folder / "prompts.jsonl", "--table", table, "--per-category"]
        subprocess.run([*command, str(per_category), *styles], check=True)
    rows = [row for row in InstanceTable.open(table).records("error IS NULL") if row.alpha is not None]
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        seen[row.category, row.generator] += 1
    few = Counter({key: min(count, per_category // 2) for key, count in seen.items()})
    names = sorted({row.category for row in rows})
    names = names[:: max(1, len(names) // categories)][:categories]
    chosen = []
    for row in sorted(rows, key=lambda row: row.id):  # a table of an earlier call may hold more
        few[row.category, row.generator] -= 1
        if few[row.category, row.generator] >= 0 and row.category in names:
            chosen.append(row)
    return minilvis, chosen


def plant(rows: list[InstanceRecord], share: float, seed: int) -> list[tuple[InstanceRecord, str | None]]:
    """Rows with masks, and the fault of each."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(rows))
    count = round(share * len(rows) / len(FAULTS))
    kinds = {int(row): FAULTS[number // count] for number, row in enumerate(order[: count * len(FAULTS)])}
    result: list[tuple[InstanceRecord, str | None]] = []
    originals: dict[int, int] = {}
    for number, row in enumerate(rows):
        fault = kinds.get(number)
        image, mask = read_image(row.image), read_image(row.alpha)[..., 0] > 127
        if fault == "wrong category":
            other = rows[random.choice([n for n, each in enumerate(rows) if each.category != row.category])]
            image, mask = read_image(other.image), read_image(other.alpha)[..., 0] > 127
        elif fault == "duplicate":
            same = [n for n, each in enumerate(rows) if each.category == row.category and n not in kinds]
            originals[number] = int(same[random.integers(len(same))])
            other = rows[originals[number]]
            image, mask = read_image(other.image), read_image(other.alpha)[..., 0] > 127
        elif fault == "blank":
            image = np.where(mask[..., None], np.uint8(random.integers(60, 220)), image)
        elif fault == "blurred":
            image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.02, 0.04) * max(image.shape))
        elif fault == "broken mask":
            mask = _break(mask, random)
        result.append((_complete(row, number, image, mask), fault))
    for copy, original in originals.items():  # of two equal pictures, the one with the greater id is too many
        if result[copy][0].id < result[original][0].id:
            result[copy], result[original] = (result[copy][0], None), (result[original][0], "duplicate")
    return result


def _break(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The background, a half of the object, or the object beside itself."""
    kind = random.integers(3)
    if kind == 0:
        return ~mask
    if kind == 1:
        rows = np.flatnonzero(mask.any(axis=1))
        half = mask.copy()
        half[: int(np.mean([rows[0], rows[-1]]))] = False
        return half
    return np.roll(mask, mask.shape[1] // 3, axis=1)


def _complete(row: InstanceRecord, number: int, image: np.ndarray, mask: np.ndarray) -> InstanceRecord:
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    identity = {name: getattr(row, name) for name in ("category", "prompt", "generator")}
    return InstanceRecord(
        id=instance_id(**identity, generator_revision="planted", seed=number),
        category_id=row.category_id,
        frequency=row.frequency,
        generator_revision="planted",
        seed=number,
        image=encode_image(image),
        image_format="jpeg",
        height=image.shape[0],
        width=image.shape[1],
        mask=encode_rle(mask)["counts"],
        bbox=mask_to_bbox(mask),
        area_fraction=float(mask.mean()),
        components=len(label_components(mask)[1]),
        border_contact=float(border.mean()),
        annotator="truth",
        **identity,
    )


def auc(bad: np.ndarray, good: np.ndarray) -> float:
    """Chance that a bad one scores below a good one."""
    both = np.concatenate([bad, good])
    order = np.argsort(both, kind="stable")
    values, ranks = both[order], np.empty(len(both))
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], len(values)]
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return 1 - (ranks[: len(bad)].sum() - len(bad) * (len(bad) + 1) / 2) / (len(bad) * len(good))


def column(table: InstanceTable, name: str, ids: list[str]) -> np.ndarray:
    return np.array(table.take(ids, [name])[name].to_pylist(), dtype=float)


def ask_judge(table: InstanceTable, folder: Path, settings: list[str]) -> tuple[str, ...]:
    """Have a vision model answer about each picture; gives its columns."""
    answers = f"answers={folder / 'vlm-answers.jsonl'}"
    stage = apply_settings(ScoreConfig, {"kind": "vlm"}, [answers, *settings], where="--judge").build()
    fill(table, stage, progress=False)
    print(f"{len(stage.unanswered)} of {table.count()} not judged; cost {stage.account.cost:.4g}")
    return tuple(stage.writes)


def print_auc(table: InstanceTable, ids: list[str], faults: list[str | None], scores: tuple[str, ...]) -> None:
    kinds = np.array([fault or "" for fault in faults])
    print(f"{'ROC-AUC':<22}" + "".join(f"{kind:>15}" for kind in (*FAULTS, "all")))
    for score in scores:
        values = column(table, score, ids) * (-1 if score in HIGH_IS_BAD else 1)
        good = values[(kinds == "") & ~np.isnan(values)]
        bad = [values[(kinds == kind) & ~np.isnan(values)] for kind in FAULTS]
        print(f"{score:<22}" + "".join(f"{auc(each, good):>15.3f}" for each in (*bad, np.concatenate(bad))))


def print_rules(table: InstanceTable, ids: list[str], faults: list[str | None], name: str) -> None:
    kept = column(table, "kept", ids) == 1
    kinds = np.array([fault or "" for fault in faults])
    clean = kinds == ""
    print(f"\n{name}: {kept.mean():.1%} kept; of the clean ones {kept[clean].mean():.1%}")
    print(f"{'fault':<16}{'planted':>8}{'recall':>8}{'precision':>10}")
    for kind in (*FAULTS, "all"):
        mine = ~clean if kind == "all" else kinds == kind
        rejected = ~kept & (mine | clean)
        print(f"{kind:<16}{mine.sum():>8}{(~kept[mine]).mean():>8.1%}{mine[rejected].mean():>10.1%}")


def print_reviews(
    table: InstanceTable, ids: list[str], faults: list[str | None], references: References, count: int
) -> None:
    """Rules from so many verdicts that say the truth, judged on the other pictures."""
    chosen = set(np.random.default_rng(0).permutation(len(ids))[:count].tolist())
    log = VerdictLog(log_path(table.path))
    log.append([Verdict(ids[row], "reject" if faults[row] else "keep", "truth", now()) for row in sorted(chosen)])
    others = [row for row in range(len(ids)) if row not in chosen]
    rest = [ids[row] for row in others], [faults[row] for row in others]
    alone = RulesConfig(reviews="ignore")
    decide_table(table, alone, references)
    print_rules(table, *rest, f"default rules, the {len(others)} pictures without a review")
    proposal = propose_rules(table, alone, references)
    print(f"\n{proposal}")
    decide_table(table, proposal.rules, references)
    print_rules(table, *rest, f"rules from {count} reviews, the same pictures")


def study(folder: Path, arguments: argparse.Namespace) -> None:
    minilvis, rows = make_data(folder, arguments.per_category, arguments.scenes, arguments.categories)
    planted = plant(rows, arguments.share, arguments.seed)
    embedder = EfficientNetLite0Config().build()
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    references = reference_embeddings(dataset, embedder, max_per_category=arguments.max_crops, progress=False)
    table = InstanceTable.create(folder / f"planted-{arguments.seed}.lance")
    table.ensure_columns(FolderColumns)
    table.append([row for row, _ in planted])
    ids, faults = [row.id for row, _ in planted], [fault for _, fault in planted]
    for stage in (EmbedStage(embedder), ScoreStage(references, scores=REAL_SCORES), BasicsStage()):
        fill(table, stage, progress=False)
    score_generated(table, progress=False)
    judged = ask_judge(table, folder, arguments.judge) if arguments.judge else ()
    print(
        f"{len(rows)} pictures of {len(dataset.categories)} categories, {len(references.embeddings)} real crops\n",
        flush=True,
    )
    print_auc(table, ids, faults, (*SCORES, *SIMPLE, *judged))
    for name, rules in RULES.items():
        decide_table(table, rules, references)
        print_rules(table, ids, faults, name)
    decide_table(table, RulesConfig(), references)  # what the sheet shows
    if arguments.reviews:
        print_reviews(table, ids, faults, references, arguments.reviews)
    write_sheet(table, folder / "sheet.html", references=references, overwrite=True)
    (folder / "faults.json").write_text(json.dumps(dict(zip(ids, faults, strict=True))))
    print(f"\nlook at {folder / 'sheet.html'}" if arguments.folder else "")


PUBLISHED = CropConfig(fill="blur", margin=40), CropConfig(fill="black", whole=True)
CROPS = {
    "black": (CropConfig(fill="black", min_side=80), CropConfig(fill="black")),
    "blur, black": (CropConfig(fill="blur", min_side=80), CropConfig(fill="black")),
    "blur": (CropConfig(fill="blur", min_side=80), CropConfig(fill="blur")),
    "white": (CropConfig(fill="white", min_side=80), CropConfig(fill="white")),
    "original": (CropConfig(fill="original", min_side=80), CropConfig(fill="original")),
    "as published": PUBLISHED,
}


def compare_fills(folder: Path, arguments: argparse.Namespace) -> None:
    """ROC-AUC of inter-similarity for each way to cut out the real and the generated crops."""
    minilvis, rows = make_data(folder, arguments.per_category, arguments.scenes, arguments.categories)
    embedder = EfficientNetLite0Config().build()
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    planted = plant(rows, arguments.share, arguments.seed)
    ids, kinds = [row.id for row, _ in planted], np.array([fault or "" for _, fault in planted])
    print("ROC-AUC of inter-similarity")
    print(
        f"{'real / generated':<20}" + "".join(f"{kind:>16}" for kind in ("wrong category", "broken mask", "all faults"))
    )
    for name, (real, generated) in CROPS.items():
        options = real.model_dump(exclude={"whole"})
        limit = arguments.max_crops
        references = reference_embeddings(dataset, embedder, max_per_category=limit, progress=False, **options)
        table = InstanceTable.create(folder / f"{name.replace(', ', '-').replace(' ', '-')}-{arguments.seed}.lance")
        table.ensure_columns(FolderColumns)
        table.append([row for row, _ in planted])
        fill(table, EmbedStage(embedder, **generated.model_dump()), progress=False)
        fill(table, ScoreStage(references), progress=False)
        values = column(table, "inter_similarity", ids)
        chosen = (kinds == "wrong category", kinds == "broken mask", kinds != "")
        print(
            f"{name:<20}" + "".join(f"{auc(values[some], values[kinds == '']):>16.3f}" for some in chosen), flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-category", type=int, default=24)
    parser.add_argument("--categories", type=int, default=40)
    parser.add_argument("--scenes", type=int, default=380)
    parser.add_argument("--max-crops", type=int, help="real crops of a category, at most")
    parser.add_argument("--share", type=float, default=0.2, help="share of the pictures that are spoilt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reviews", type=int, default=0, help="so many verdicts, and the rules that they speak for")
    parser.add_argument(
        "--judge", action="append", metavar="KEY=VALUE", help="also ask a vision model: model=, base_url="
    )
    parser.add_argument("--fills", action="store_true", help="compare fills of the crops instead")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    arguments = parser.parse_args()
    task: Callable[[Path, argparse.Namespace], None] = compare_fills if arguments.fills else study
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        task(arguments.folder, arguments)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            task(Path(temporary), arguments)


if __name__ == "__main__":
    main()
