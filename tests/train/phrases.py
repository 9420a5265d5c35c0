"""A phrase file of a few lines, so that tests do not change with the real ones."""

from pathlib import Path

from yochi_runtime.taxonomy import Pack
from yochi_train.grammar import Lang, Template, parse_templates

PHRASES: dict[Lang, str] = {
    "en": "[note_instruction mechanical]\nReach {in|far in} and pull the {jam|box} out ;; +safeguard_defeat\n"
    "[note_content fall]\nThe top rung {is cracked|broke off}\n"
    "[note_content slip_trip]\nOil on the floor at gate {2|4}\n"
    "[harmless]\nBins {swept|emptied} as planned\nCoffee is ready\n"
    "[combination vehicle]\nWalk {over|across} to the pallet\n",
    "ja": "[note_instruction mechanical]\n{箱|袋}を手で引っ張り出して ;; +safeguard_defeat\n"
    "[note_content fall]\nはしごの段が{割れてる|折れた}\n"
    "[note_content slip_trip]\n{2|4}番ゲートの床に油\n"
    "[harmless]\n予定どおり{清掃済み|片付け済み}\nコーヒーできた\n"
    "[combination vehicle]\nパレットまで{歩いて|横切って}\n",
}


def few_templates(lang: Lang, pack: Pack, _folder: Path | None = None) -> tuple[Template, ...]:
    """In place of `grammar.templates`."""
    return parse_templates(PHRASES[lang], f"phrases.{lang}.txt", pack)
