"""The command ``divergen-prompts``."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from divergen_records.command import Group, answer, console, echo, next_step

if TYPE_CHECKING:
    from divergen_records.endpoint import Account

    from .tokens import TokenCounter

CATEGORIES = click.option(
    "--categories",
    required=True,
    metavar="FILE",
    help="LVIS or COCO JSON, a list as JSON, YAML, CSV or text, or the word imagenet.",
)
OUT = click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON Lines to write.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
MAX_TOKENS = click.option(
    "--max-tokens",
    type=click.IntRange(1),
    default=77,
    show_default=True,
    help="Length limit in tokens of the text encoder.",
)


@click.group(cls=Group)
@click.version_option(package_name="divergen-prompts")
def main() -> None:
    """Turn categories into many different text-to-image prompts, and measure how different they are."""


def _counter(tokenizer: str | None) -> TokenCounter:
    """The token counter, its warning as a line instead of a trace."""
    from .tokens import build_counter

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        counter = build_counter(tokenizer)
    for warning in caught:
        _note(str(warning.message))
    return counter


def _note(text: str) -> None:
    echo(f"Note: {text}", err=True)


@main.command()
@CATEGORIES
@click.option(
    "--template",
    "templates",
    multiple=True,
    default=("divergen",),
    show_default=True,
    help="xpaste, divergen, plain, or a text with {name}, {a_name}, {names}, {definition}, {gloss}; may be repeated.",
)
@click.option("--synonyms", is_flag=True, help="Also one prompt per synonym.")
@OUT
@OVERWRITE
def template(categories: str, templates: tuple[str, ...], synonyms: bool, out: Path, overwrite: bool) -> None:
    """One prompt per category and template.

    \b
    divergen-prompts template --categories lvis_v1_categories.json --template divergen --out prompts.jsonl
    divergen-prompts template --categories names.txt --template "a drawing of {a_name}" --out prompts.jsonl
    """
    from . import read_categories, template_prompts, write_prompts

    prompts = template_prompts(read_categories(categories), template=templates, synonyms=synonyms)
    _tell(write_prompts(out, prompts, overwrite=overwrite), out)
    _next(out)


@main.command()
@CATEGORIES
@click.option("--per-category", default=128, show_default=True, help="Prompts per category.")
@click.option("--seed", default=0, show_default=True, help="Another seed gives other prompts.")
@click.option("--background", default="in a white background", show_default=True, help="Closing clause; '' for none.")
@click.option("--attribute", "attributes", multiple=True, help="Vary only this attribute; may be repeated.")
@click.option(
    "--style",
    "styles",
    multiple=True,
    help="How the picture is made, such as 'a softly lit photo'; may be repeated. Default: photos, paintings, drawings "
    "and renderings.",
)
@OUT
@OVERWRITE
def grammar(
    categories: str,
    per_category: int,
    seed: int,
    background: str,
    attributes: tuple[str, ...],
    styles: tuple[str, ...],
    out: Path,
    overwrite: bool,
) -> None:
    """Different prompts per category from attributes that fit it, without any language model.

    \b
    divergen-prompts grammar --categories lvis_v1_categories.json --per-category 128 --seed 0 --out prompts.jsonl
    """
    from . import grammar_prompts, read_categories, write_prompts

    prompts = grammar_prompts(
        read_categories(categories),
        per_category=per_category,
        seed=seed,
        background=background,
        attributes=attributes or None,
        styles=styles or None,
    )
    _tell(write_prompts(out, prompts, overwrite=overwrite), out)
    _next(out)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--per-category",
    type=int,
    help="Pictures per category: prompts are used in turn until there are as many. Default: each prompt once for one "
    "file; for several, the most prompts that any of them has for a category.",
)
@click.option("--embedder", default="words", show_default=True, help="words, minilm, or a sentence-transformers model.")
@click.option("--worst", type=click.IntRange(0), default=0, help="Also list this many of the least diverse categories.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures as JSON.")
@OVERWRITE
def measure(
    files: tuple[Path, ...], per_category: int | None, embedder: str, worst: int, out: Path | None, overwrite: bool
) -> None:
    """Measure how different prompts are; several files are compared side by side.

    \b
    divergen-prompts measure prompts.jsonl
    divergen-prompts measure templates.jsonl grammar.jsonl --out diversity.json
    """
    from .embedders import build_embedder
    from .reports import measure_files, write_reports
    from .tables import comparison, worst_categories

    reports = measure_files(files, pictures_per_category=per_category, embedder=build_embedder(embedder))
    answer(files=reports)
    console().print(comparison(reports))
    for report in reports.values() if worst else ():
        console().print(worst_categories(report, worst))
    if out is not None:
        write_reports(out, reports, overwrite=overwrite)
        echo(f"figures in {out}")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--categories", metavar="FILE", help="The categories, for synonyms, definitions and second objects.")
@MAX_TOKENS
@click.option("--tokenizer", help="tokenizer.json, its folder, or a hub name; without it lengths are estimated.")
@click.option("--ban", "banned", multiple=True, help="A word that no prompt may hold; may be repeated.")
@click.option("--background", help="A text that every prompt must hold, for example 'white background'.")
@click.option(
    "--show", type=click.IntRange(0), default=20, show_default=True, help="List this many of the faulty prompts."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the good prompts.")
@OVERWRITE
@click.pass_context
def check(
    context: click.Context,
    file: Path,
    categories: str | None,
    max_tokens: int,
    tokenizer: str | None,
    banned: tuple[str, ...],
    background: str | None,
    show: int,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Say for every prompt what is wrong with it; ends with status 1 if anything is.

    \b
    divergen-prompts check prompts.jsonl --categories lvis_v1_categories.json --out good.jsonl
    """
    from . import read_categories, read_prompts, write_prompts
    from .checks import Checker, check_prompts
    from .reports import count_problems
    from .tables import problem_counts

    known = read_categories(categories) if categories else []
    checker = Checker(
        known,
        max_tokens=max_tokens,
        counter=_counter(tokenizer),
        banned=banned,
        background=background,
    )
    prompts = read_prompts(file)
    checked = list(check_prompts(prompts, known, checker=checker))
    faulty = [(line, prompt, problems) for line, (prompt, problems) in enumerate(checked, 1) if problems]
    for line, prompt, problems in faulty[:show]:
        echo(f"prompt {line} ({prompt.category}): {'; '.join(problems)}: {prompt.text}")
    counts = count_problems(problems for _, problems in checked)
    told = [{"line": line, "prompt": prompt.text, "problems": problems} for line, prompt, problems in faulty]
    answer(prompts=len(checked), problems=counts, faulty=told)
    console().print(problem_counts(counts, len(checked)))
    if out is not None:
        good = (prompt for prompt, problems in checked if not problems)
        _tell(write_prompts(out, good, overwrite=overwrite), out)
    context.exit(1 if faulty else 0)


@main.command()
@CATEGORIES
@click.option("--model", required=True, help="The language model's name at the endpoint.")
@click.option("--base-url", help="An OpenAI-compatible endpoint, for example http://localhost:8000/v1.")
@click.option("--per-category", default=32, show_default=True, help="Prompts per category.")
@click.option("--per-request", default=16, show_default=True, help="Prompts asked for at once.")
@click.option("--concurrency", default=8, show_default=True, help="Requests in flight; fewer where answers queue.")
@click.option("--background", default="in a white background", show_default=True, help="How every prompt ends.")
@MAX_TOKENS
@click.option("--tokenizer", help="tokenizer.json, its folder, or a hub name; without it lengths are estimated.")
@click.option("--ban", "banned", multiple=True, help="A word that no prompt may hold; may be repeated.")
@click.option("--temperature", type=float, help="Sent if given; left out where the endpoint refuses it.")
@click.option(
    "--max-output-tokens",
    type=int,
    help="Limit of output tokens sent with each request, reasoning included. Default: about four times what the "
    "prompts need, doubled where answers are cut off.",
)
@click.option("--extra-body", metavar="JSON", help="Further parameters of each request, as the endpoint wants them.")
@click.option(
    "--timeout", default=120.0, show_default=True, help="Seconds without an answer before giving a request up."
)
@click.option("--retries", default=6, show_default=True, help="Further attempts at a request.")
@click.option("--patience", default=5, show_default=True, help="Requests without a new prompt before giving up.")
@click.option("--price-in", default=0.0, help="Price of a million tokens sent.")
@click.option("--price-out", default=0.0, help="Price of a million tokens received.")
@click.option("--max-cost", type=float, help="Send nothing that could cost more, with what the file cost so far.")
@click.option("--key-variable", default="OPENAI_API_KEY", show_default=True, help="Environment variable of the key.")
@click.option("--seed", default=0, show_default=True, help="Chooses the attributes that are suggested.")
@click.option("--dry-run", is_flag=True, help="Only say what it would take.")
@OUT
@click.pass_context
def llm(context: click.Context, /, categories: str, out: Path, **options: Any) -> None:
    """Ask a language model; a file that exists is continued, only what it lacks is asked for.

    Ends with status 1 if a category has fewer prompts than wanted.

    \b
    export OPENAI_API_KEY=…
    divergen-prompts llm --categories lvis_v1_categories.json --model gpt-4o-mini --per-category 32 --out llm.jsonl
    divergen-prompts llm --categories names.txt --model qwen --base-url http://localhost:8000/v1 --out llm.jsonl
    divergen-prompts llm … --price-in 0.15 --price-out 0.6 --max-cost 2 --extra-body '{"reasoning_effort": "low"}'
    """
    from . import Account, EndpointError, LlmSettings, estimate_llm, llm_prompts, read_categories
    from .llm.settings import read_extra_body

    account = Account(options.pop("price_in"), options.pop("price_out"), options.pop("max_cost"))
    dry_run, tokenizer = options.pop("dry_run"), options.pop("tokenizer")
    extra_body = read_extra_body(options.pop("extra_body"))
    settings, known = LlmSettings(**options, extra_body=extra_body), read_categories(categories)
    if dry_run:
        plan = estimate_llm(known, settings, account, out)
        answer(**asdict(plan))
        echo(
            f"{plan.prompts} prompts for {plan.categories} categories: at least {plan.requests} requests, about "
            f"{plan.prompt_tokens:,} tokens sent, {plan.completion_tokens:,} received, cost {plan.cost:.4g}"
        )
        return
    try:
        report = llm_prompts(known, settings, out, account=account, counter=_counter(tokenizer), say=_note)
    except EndpointError:
        echo(_used(account))
        raise
    answer(out=out, accepted=report.accepted, total=report.total, shortfalls=report.shortfalls, spent=asdict(account))
    echo(f"{report.accepted} new prompts, {report.total} in {out}; {_used(account)}")
    _next(out)
    for name, reason in report.shortfalls.items():
        echo(f"{name}: {reason}", err=True)
    context.exit(1 if report.shortfalls else 0)


def _used(account: Account) -> str:
    lost = f", {account.lost} answers never came (counted as {account.lost_cost:.4g})" if account.lost else ""
    return (
        f"{account.requests} answers, {account.prompt_tokens:,} tokens sent, {account.completion_tokens:,} received"
        f"{lost}, cost {account.cost:.4g} in all"
    )


@main.command()
@click.option("--base", required=True, metavar="FILE", help="The dataset's categories, as --categories elsewhere.")
@click.option("--candidates", default="imagenet", show_default=True, metavar="FILE", help="Where to choose from.")
@click.option(
    "--similarity",
    default="wordnet",
    show_default=True,
    help="wordnet, minilm (sentence embeddings), words, or a sentence-transformers model.",
)
@click.option("--wordnet", "folder", metavar="FOLDER", help="WordNet's files; without it nltk's own.")
@click.option("--threshold", default=0.4, show_default=True, help="Take what is below this to every base category.")
@click.option("--count", default=250, show_default=True, help="Take this many, drawn by the seed; 0 takes all.")
@click.option("--seed", default=0, show_default=True, help="Which of those that fit are taken.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Every decision and its reason, CSV.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to write.")
@OVERWRITE
def expand(
    base: str,
    candidates: str,
    similarity: str,
    folder: str | None,
    threshold: float,
    count: int,
    seed: int,
    report: Path | None,
    out: Path,
    overwrite: bool,
) -> None:
    """Choose extra categories unlike all of the dataset's; they are written as a category list (JSON).

    \b
    divergen-prompts expand --base lvis_v1_categories.json --candidates imagenet --report why.csv --out extra.json
    """
    from . import read_categories, select_extra_categories
    from .expand import write_categories, write_choices
    from .similarity import build_similarity

    own = read_categories(base)
    choices = select_extra_categories(
        own,
        read_categories(candidates),
        similarity=build_similarity(similarity, folder),
        count=count or None,
        threshold=threshold,
        seed=seed,
    )
    taken = write_categories(out, choices, first_id=max(category.id for category in own) + 1, overwrite=overwrite)
    if report is not None:
        write_choices(report, choices, overwrite=overwrite)
    answer(out=out, taken=taken, candidates=len(choices), report=report)
    echo(f"{taken} of {len(choices)} candidates in {out}{f', reasons in {report}' if report else ''}")
    for choice in choices[:: max(1, len(choices) // 8)]:
        echo(f"  {choice.candidate.label}: {'taken' if choice.taken else 'refused'}, {choice.reason}")


def _tell(count: int, out: Path) -> None:
    answer(out=out, written=count)
    echo(f"{count} prompts in {out}")


def _next(prompts: Path) -> None:
    next_step("divergen-gen", "run", prompts, "--table", "instances.lance", "-g", "diffusers,model=HUB_ID_OR_FOLDER")
