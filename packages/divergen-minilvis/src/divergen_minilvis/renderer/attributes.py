"""What a prompt asks for, read from plain English by tables of words. Pure Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .colours import COLOURS

__all__ = ["Attributes", "parse_attributes"]


@dataclass(frozen=True, slots=True)
class Attributes:
    """The words of a prompt that the renderer honours; empty where the prompt says nothing.

    Attributes:
        colours: Names of `colours.COLOURS`, in the order of the prompt: main first.
        material: A name of `materials.MATERIALS`.
        pattern: "striped", "dotted", "checkered", "plaid", "floral", "zigzag", "camouflage", "marbled", "gradient",
            "stars" or "plain".
        pose: "lying", "upside down", "tilted", "rotated" or "mirrored".
        view: "front", "side", "back", "top", "high", "below", "three-quarter" or "close".
        style: "watercolor", "illustration", "sketch", "clay", "pixel", "photo", "monochrome" or "vintage".
        size: "small" or "large".
        shape: Any of "tall", "short", "wide", "slim", "round".
        condition: Any of "worn", "dirty", "rusty", "new", "glossy", "matte", "wet", "transparent".
        background: A name of `colours.COLOURS`.
        light: "sun", "overcast", "lamp", "dusk" or "flash"; honoured where a box has it (`divergen_minilvis.boxes`).
    """

    colours: tuple[str, ...] = ()
    material: str = ""
    pattern: str = ""
    pose: str = ""
    view: str = ""
    style: str = ""
    size: str = ""
    shape: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    background: str = ""
    light: str = ""


MATERIAL_WORDS = {
    "metal": "metal|metallic|steel|stainless steel|tin|tinplate|titanium|pewter",
    "chrome": "chrome|chromed|mirrored finish|polished steel|silver-plated",
    "gold": "gold-plated|gilded|gilt",
    "brass": "brass|bronze",
    "copper": "copper",
    "iron": "iron|cast iron|wrought iron",
    "wooden": "wooden|wood|oak|walnut|pine|mahogany|teak|birch|maple|plywood|timber",
    "bamboo": "bamboo",
    "plastic": "plastic|acrylic|vinyl|resin|melamine|pvc|polymer|nylon",
    "glass": "glass|transparent glass|frosted glass",
    "crystal": "crystal",
    "ceramic": "ceramic|porcelain|enamel|enameled|enamelled|glazed|china",
    "clay": "clay|terracotta|earthenware|stoneware",
    "fabric": "fabric|cloth|cotton|linen|canvas|polyester|silk|satin|textile",
    "wool": "wool|woolen|woollen|knitted|felt|crocheted",
    "velvet": "velvet|suede|corduroy",
    "denim": "denim",
    "leather": "leather|leatherette",
    "fur": "fur|furry|fluffy|plush",
    "paper": "paper|cardboard|papier-mache",
    "rubber": "rubber|silicone",
    "stone": "stone|granite|slate",
    "marble": "marble",
    "concrete": "concrete|cement",
    "wicker": "wicker|rattan|woven straw|straw",
    "wax": "wax",
}
PATTERN_WORDS = {
    "striped": "banded|barred|layered|striped|stripes|stripe|pinstriped|pinstripes",
    "dotted": "dotted|dots|polka dot|polka dots|polka-dot|polka-dotted|spotted|spots|"
    "speckled|mottled|dappled|leopard print|leopard-print|sprinkled|bubbly",
    "checkered": "checkered|chequered|checked|checkerboard|checks",
    "plaid": "plaid|tartan|gingham",
    "floral": "floral|flowery|flowers pattern|flower pattern|floral-patterned|botanical|paisley",
    "zigzag": "zigzag|chevron|herringbone|zig-zag",
    "camouflage": "camouflage|camo|patchy|brindled|blemished",
    "marbled": "marbled|swirled|iridescent|cloudy|tie-dyed|tie-dye",
    "gradient": "gradient|ombre|two-tone",
    "stars": "star pattern|star-patterned|starry",
    "plain": "plain|solid-colored|solid-coloured|unpatterned",
}
POSE_WORDS = {
    "upside down": "upside down|upside-down|inverted|turned over|flipped over",
    "lying": "lying|lying on its side|on its side|laid flat|lying down|toppled|resting on its side|lying flat",
    "tilted": "tilted|leaning|slanted|at an angle|angled|tipped|inclined|diagonal|diagonally",
    "rotated": "rotated|turned",
    "mirrored": "mirrored|facing left|facing the left",
}
VIEW_WORDS = {
    "top": "from above|top view|top-down|top down|overhead|overhead view|bird's-eye|bird's eye|birds-eye|flat lay",
    "high": "high angle|high-angle",
    "below": "from below|low angle|low-angle|worm's-eye",
    "side": "side view|from the side|in profile|profile view|side-on|side profile|side angle|"
    "from the left|from the right",
    "back": "from behind|back view|rear view|from the back|from the rear",
    "three-quarter": "three-quarter|three quarter|three-quarters|3/4",
    "front": "front view|from the front|frontal|front-facing|facing forward|facing the camera|head-on|"
    "straight on|eye level",
    "close": "close-up|closeup|close up|up close|macro",
}
STYLE_WORDS = {
    "watercolor": "watercolor|watercolour|aquarelle|gouache|oil painting|painted style|painting|impressionist",
    "illustration": "illustration|illustrated|cartoon|comic|vector|flat design|clip art|clipart|anime|pop art|line art",
    "sketch": "sketch|sketched|pencil drawing|drawing|charcoal drawing|ink drawing|hand-drawn",
    "pixel": "pixel art|pixel-art|8-bit",
    "clay": "3d render|clay model|3d rendered|3d rendering|cgi|claymation|clay render|"
    "low-poly|low poly|toy-like|isometric",
    "monochrome": "black and white|black-and-white|monochrome|grayscale|greyscale",
    "vintage": "vintage photo|retro photo|sepia|polaroid|film photo",
    "photo": "photorealistic|realistic|photograph|studio photo|product photo|product shot|studio shot",
}
SIZE_WORDS = {
    "small": "small|tiny|little|miniature|mini|petite|compact|from far away",
    "large": "large|big|huge|giant|oversized|massive|enormous|bulky",
}
SHAPE_WORDS = {
    "tall": "tall|long|elongated|high",
    "short": "short|squat|stubby|low",
    "wide": "wide|broad|chunky|thick|fat|plump|chubby|stocky",
    "slim": "slim|narrow|thin|slender|skinny",
    "round": "round|rounded|spherical",
}
CONDITION_WORDS = {
    "worn": "worn|old|antique|vintage|weathered|aged|battered|scratched|distressed|faded|used|well-used|well-worn|"
    "cracked|chipped|dented|tattered|rustic|damaged|shabby|bruised|wilted|overripe",
    "dirty": "dirty|dusty|muddy|stained|grimy|sooty",
    "rusty": "rusty|rusted|corroded|tarnished",
    "new": "new|brand new|brand-new|pristine|unused|mint condition|fresh|clean",
    "glossy": "glossy|shiny|polished|gleaming|lacquered|sleek|reflective|lustrous|varnished",
    "matte": "matte|matt|unglazed|dull|brushed",
    "wet": "wet|dewy|water droplets|soaked",
    "transparent": "clear|transparent|translucent|see-through",
}
LIGHT_WORDS = {
    "sun": "brightly lit|bright light|bright lighting|harsh light|hard light|sunlit|sunlight|in the sun|sunny",
    "overcast": "softly lit|soft light|soft lighting|diffuse light|diffused light|overcast|cloudy day|in the shade",
    "lamp": "warm light|warm lighting|lamplight|lamp light|candlelight|candlelit|golden hour|sunset",
    "dusk": "dimly lit|dim light|dusk|twilight|at night|backlit|in the dark|low light|low-light",
    "flash": "flash|camera flash|flashlight",
}


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Match any of the words whole, longest first."""
    ordered = sorted(words, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, ordered)) + r")(?![\w-])")


def _table(words: dict[str, str]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return one pattern for a table of words, and which key each word means."""
    meaning = {word: key for key, text in words.items() for word in text.split("|")}
    return _pattern(meaning), meaning


COLOUR_WORDS = {
    "red": "reddish|ruby|cherry red|bright red",
    "maroon": "dark red|deep red",
    "pink": "rose|light pink|pale pink",
    "magenta": "fuchsia|hot pink",
    "orange": "tangerine",
    "yellow": "yellowish|bright yellow|light yellow",
    "green": "greenish|bright green",
    "mint": "light green|pale green|mint green",
    "forest": "dark green|forest green",
    "olive": "olive green",
    "lime": "lime green",
    "emerald": "emerald green",
    "blue": "bluish|bright blue",
    "sky": "light blue|sky blue|sky-blue|baby blue|pale blue|azure",
    "navy": "dark blue|navy blue|deep blue",
    "cobalt": "royal blue",
    "brown": "brownish",
    "chocolate": "dark brown",
    "tan": "light brown|blonde|sandy",
    "silver": "silvery|light grey|light gray",
    "charcoal": "dark grey|dark gray",
    "ivory": "off-white",
    "black": "jet black|jet-black",
    "lilac": "mauve",
    "turquoise": "blue-green",
}
NOT_SPOKEN = {"wood", "darkwood", "skin", "leaf", "straw", "bread", "cheese", "crust", "soil", "steel", "screen",
              "darkgreen", "darkgrey", "lightgrey", "terracotta", "forest", "sky"}  # fmt: skip
COLOUR_MEANING = {name: name for name in COLOURS if name not in NOT_SPOKEN}
COLOUR_MEANING |= {word: name for name, text in COLOUR_WORDS.items() for word in text.split("|")}
COLOUR_PATTERN = _pattern(COLOUR_MEANING)
TABLES = {
    "material": _table(MATERIAL_WORDS),
    "pattern": _table(PATTERN_WORDS),
    "pose": _table(POSE_WORDS),
    "view": _table(VIEW_WORDS),
    "style": _table(STYLE_WORDS),
    "size": _table(SIZE_WORDS),
    "shape": _table(SHAPE_WORDS),
    "condition": _table(CONDITION_WORDS),
}
LIGHTS = _table(LIGHT_WORDS)
BACKGROUND = re.compile(
    r"(?:,\s*)?\b(?:in|on|against|with|over|isolated on)?\s*(?:an?|the)?\s*(?:(?:plain|pure|clean|solid|simple|"
    r"seamless|studio|bright|soft|light)[\s,]+)*(?P<colour>[a-z-]+(?: [a-z-]+)?)?\s+(?:studio )?back(?:ground|drop)\b"
)
TEMPLATE = re.compile(r"^\s*(?:an?|the)\s+(?:photo|picture|image|photograph)\s+of\s+(?:an?|one|the)?\s*(?:single\s+)?")
MANNER = 4
"""Clauses of more words than this are sentences of a definition, whatever they open with."""
CUES = re.compile(
    r"^\s*(?:in|on|with|made|seen|viewed|from|shown|lying|standing|photographed|drawn|rendered|featuring)\b"
)


def parse_attributes(prompt: str, category: str = "") -> Attributes:
    """Read what a prompt says about one object.

    Words are matched whole. Words of the category's own name never count (an "orange" is not orange by its name), nor
    does the dictionary definition in a prompt of the template ``a photo of a single {name}, {definition}, …``.

    Args:
        prompt: Plain English, from a template or a language model.
        category: The category's name, in LVIS spelling or plain.

    Returns:
        The attributes, empty where nothing was said.
    """
    text = prompt.lower().replace("’", "'")
    background, text = _take_background(text)
    lights = [LIGHTS[1][match.group()] for match in LIGHTS[0].finditer(text)]
    text = re.sub(r"-colou?red\b", "", TEMPLATE.sub("", text))
    text = _without_definition(_without_name(text, category))
    found = {}
    for name in ("style", "view", "pose", "pattern", "condition", "material", "size", "shape"):
        pattern, meaning = TABLES[name]
        hits = [meaning[match.group()] for match in pattern.finditer(text)]
        if name == "view":
            hits.sort(key="close".__eq__)
        found[name] = tuple(dict.fromkeys(hits)) if name in ("condition", "shape") else (hits[0] if hits else "")
        if name in ("style", "view", "pose"):
            text = pattern.sub(" ", text)
    colours = tuple(dict.fromkeys(COLOUR_MEANING[match.group()] for match in COLOUR_PATTERN.finditer(text)))
    return Attributes(colours=colours, background=background, light=lights[0] if lights else "", **found)  # type: ignore[arg-type]


def _take_background(text: str) -> tuple[str, str]:
    """Return the background's colour, if named, and the text without the phrase."""
    match = BACKGROUND.search(text)
    if match is None:
        return "", text
    words = match["colour"] or ""
    colour = COLOUR_PATTERN.search(words)
    return (COLOUR_MEANING[colour.group()] if colour else ""), text[: match.start()] + " , " + text[match.end() :]


def _without_name(text: str, category: str) -> str:
    """Blank the category's own name, or of a compound the whole of it, replaced by the neutral word "thing"."""
    spoken = re.sub(r"\([^)]*\)", "", category.lower()).replace("_", " ").replace("-", " ").strip()
    if not spoken:
        return text
    name = r"[\s_-]+".join(map(re.escape, spoken.split()))
    return re.sub(rf"(?<![\w-]){name}(?:s|es)?(?:[\s_]*\([^)]*\))?(?![\w-])", "thing", text, count=1)


def _without_definition(text: str) -> str:
    """Drop the clauses of a definition: those after a bare name which do not open with an attribute."""
    head, *clauses = re.split(r"[,;]", text)
    if head.strip() != "thing":
        return text
    return ",".join([head, *(clause for clause in clauses if _says_attribute(clause))])


def _says_attribute(clause: str) -> bool:
    """Return whether a clause opens with a preposition or an attribute's word."""
    if CUES.match(clause):
        return True
    article, text = re.fullmatch(r"\s*((?:an?|the)\s)?(.*)", clause, re.DOTALL).groups()  # type: ignore[union-attr]
    if article:
        return TABLES["style"][0].match(text) is not None
    patterns = [COLOUR_PATTERN, *(pattern for pattern, _ in TABLES.values())]
    return len(text.split()) <= MANNER and any(pattern.match(text) for pattern in patterns)
