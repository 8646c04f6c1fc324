"""A first look without a data set: the user's own words as pictures, masks, and a sheet of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import Category, InstanceRecord, InstanceTable, fill
from divergen_records.errors import ConfigError
from divergen_records.files import write_text
from divergen_records.images import encode_image, read_image
from divergen_records.losses import Losses
from divergen_records.masks import decode_counts
from divergen_records.pages import data_uri, page_end, page_start, template

from .draw import scaled_mask, thumbnail

if TYPE_CHECKING:
    from divergen_annotate import Annotator

__all__ = ["DEMO_GENERATORS", "Demo", "make_demo"]

DEMO_GENERATORS = ("procedural,name=photo,style=photo", "procedural,name=watercolor,style=watercolor")
"""What draws where nothing else is said: the embedded renderer, in two styles."""

_SIDE = 240

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,270px),1fr));gap:1.2em}
figure{margin:0;break-inside:avoid}figcaption{font-size:13px;opacity:.8;overflow-wrap:anywhere}
div{display:flex;gap:4px}img{width:50%;aspect-ratio:1;object-fit:contain}
"""

_BODY = """<h1>{{ words | join(", ") }}</h1>
<p>Left what was generated, right what the mask cuts out. {{ failed }}</p>
{% for category, figures in groups %}
<h2>{{ category }}</h2>
<main>
{% for figure in figures %}
<figure><div><img src="{{ figure.picture }}" alt=""><img src="{{ figure.cutout }}" alt=""></div>
<figcaption>{{ figure.generator }}: {{ figure.prompt }}</figcaption></figure>
{% endfor %}
</main>
{% endfor %}
"""


@dataclass(frozen=True)
class Demo:
    """What `make_demo` made.

    Attributes:
        table: The instances.
        sheet: The page to look at.
        pictures: Generated pictures.
        masks: Of these, pictures with a mask.
        unknown: Words for which there is no picture, and why.
    """

    table: InstanceTable
    sheet: Path
    pictures: int
    masks: int
    unknown: Losses


def make_demo(
    words: Sequence[str],
    out: Path,
    *,
    generators: Sequence[str] = DEMO_GENERATORS,
    annotator: Annotator | None = None,
    per_category: int = 4,
    seed: int = 0,
) -> Demo:
    """Generate instances of what the words name, with masks, and draw a sheet of them.

    Made again with more words or pictures, it keeps those that are there.

    Args:
        words: Category names, as a user says them.
        out: Folder: ``instances.lance`` and ``sheet.html``.
        generators: As `divergen-gen -g` takes them: ``"diffusers,model=FOLDER,steps=30"``.
        annotator: `divergen_annotate.GrabCut` where left out.
        per_category: Pictures for each word.
        seed: Decides prompts and pictures.

    Raises:
        ConfigError: If there is no word, or nothing draws any of them.
    """
    from divergen_annotate import AnnotateStage, GrabCut
    from divergen_gen import generate, plan
    from divergen_gen.command import parse_generator
    from divergen_prompts.config import GrammarPrompts

    names = list(dict.fromkeys(filter(None, (" ".join(word.split()) for word in words))))
    if not names:
        raise ConfigError('demo: name something to draw, for example: divergen demo umbrella "coffee mug"')
    configs = [parse_generator(text) for text in generators]
    unknown = _unknown(names, configs)
    known = [name for name in names if name not in dict(unknown)]
    if not known:
        raise ConfigError(f"demo: {'; '.join(reason for _, reason in unknown)}")
    categories = [Category(id=number, name=name) for number, name in enumerate(known, 1)]
    prompts = GrammarPrompts(per_category=per_category).build().sketch(categories, seed=seed)
    planned = plan(list(prompts), configs, categories=categories, counts=per_category, seed=seed)
    table = InstanceTable.create(out / "instances.lance", exist_ok=True)
    generate(table, planned, [config.build() for config in configs])
    fill(table, AnnotateStage(annotator or GrabCut()))
    records = [record for record in table.records() if record.category in known]
    write_text(out / "sheet.html", _page(known, records), overwrite=True)
    pictures, masks = (sum(getattr(record, name) is not None for record in records) for name in ("image", "mask"))
    return Demo(table, out / "sheet.html", pictures, masks, unknown)


def _unknown(names: Sequence[str], configs: Sequence[Any]) -> Losses:
    """Words that the embedded renderer does not know, where nothing else draws."""
    from divergen_minilvis.renderer.catalogue import category_names, known

    found = Losses()
    if any(config.kind != "procedural" for config in configs):
        return found
    for name in names:
        if known(name) is None:
            near = get_close_matches(name.lower().replace(" ", "_"), category_names(), n=3)
            hint = f"; near: {', '.join(near)}" if near else ""
            found.add(
                name,
                f"the embedded renderer has no {name!r}{hint}. --generator diffusers,model=… draws it with your own "
                "model; `divergen-minilvis categories` lists what the renderer knows",
            )
    return found


def _page(words: Sequence[str], records: Sequence[InstanceRecord]) -> str:
    groups = [
        (word, [_figure(record) for record in records if record.category == word and record.mask]) for word in words
    ]
    failed = sum(record.mask is None for record in records)
    note = f"{failed} of {len(records)} have no picture or no mask." if failed else ""
    body = template(_BODY).render(words=words, groups=groups, failed=note)
    return page_start(", ".join(words), _STYLE) + body + page_end()


def _figure(record: InstanceRecord) -> dict[str, str]:
    assert record.image is not None and record.mask is not None
    picture = thumbnail(read_image(record.image), _SIDE)
    mask = scaled_mask(decode_counts(record.mask, record.height or 0, record.width or 0), picture.shape)
    squares = (np.indices(mask.shape) // 12).sum(axis=0) % 2
    cutout = np.where(mask[..., None], picture, (255 - 24 * squares)[..., None]).astype(np.uint8)
    return {
        "picture": data_uri(encode_image(picture, "jpeg", quality=88), "jpeg"),
        "cutout": data_uri(encode_image(cutout, "jpeg", quality=88), "jpeg"),
        "generator": record.generator,
        "prompt": record.prompt,
    }
