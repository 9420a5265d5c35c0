"""`yochi-train packs check`: what a pack asks of the prompt, and how many words teach each of its factors."""

import random
from collections.abc import Sequence
from pathlib import Path

from yochi_runtime.prompt import MAX_TOKENS, Tokenizer, build_prompt
from yochi_runtime.taxonomy import Pack

from .grammar import LANGS, Template, expand, sections, teaches, templates
from .packs import load_factors


def pack_report(folder: Path | None, tokenizer: Tokenizer) -> str:
    """The pack as a table; UsageError names file and line of a mistake, or the section that is missing."""
    pack = load_factors(folder)
    banks = {lang: templates(lang, pack, folder) for lang in LANGS}
    lines = [
        f"pack {pack.id} {pack.version}: {len(pack.category)} categories, {len(pack.cue)} cues, "
        f"{len(pack.slots)} slots",
        f"prompt: {build_prompt(pack, tokenizer).note_budget} of {MAX_TOKENS} tokens left for a note",
        f"words of more than one token: {', '.join(long_words(pack, tokenizer)) or 'none'}",
        *(f"notes, {lang}: {_lengths(bank, tokenizer)}" for lang, bank in banks.items()),
        f"{'templates to train on + for validation':<40}" + "".join(f"{lang:>12}" for lang in LANGS),
    ]
    for section in sections(pack):
        counts = (_counts(bank, section) for bank in banks.values())
        lines.append(f"{section:<40}" + "".join(f"{count:>12}" for count in counts))
    return "\n".join(lines)


def long_words(pack: Pack, tokenizer: Tokenizer) -> list[str]:
    """The words that cost the prompt more than one token, in the pack's order."""
    words = [*(c.word for c in pack.cue), *(c.word for c in pack.category)]
    return [word for word in words if len(tokenizer.encode(f" {word}")) > 1]


def _counts(bank: Sequence[Template], section: str) -> str:
    found = [t.validation for t in bank if teaches(t, section)]
    return f"{found.count(False)} + {found.count(True)}"


def _lengths(bank: Sequence[Template], tokenizer: Tokenizer) -> str:
    """One expansion of each template."""
    rng = random.Random(0)
    lengths = [len(tokenizer.encode(f" {expand(t.text, rng)}")) for t in bank]
    return f"{sum(lengths) / len(lengths):.0f} tokens on average, {max(lengths)} at most"
