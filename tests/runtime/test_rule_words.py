"""The plant's rules as a person reads them: golden texts in both languages."""

from datetime import UTC, datetime

import pytest
from yochi_runtime.display import render
from yochi_runtime.inspection import Note
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_wording import ENGLISH, JAPANESE
from yochi_runtime.rule_words import explain
from yochi_runtime.time_windows import DAYS

from .rulebooks import ADVICE, PACK, judged, rule, rules_of

RULES = rules_of(
    rule(id="HOT-1", words=["weld"], advice=ADVICE),
    rule(id="YARD-1", cues=["no_vest"], zones=["yard"], at_least="caution"),
)
AFTER = PlantRules(RULES).apply(
    judged(unjudged=["cue:no_vest"]), Note("welding"), datetime(2025, 11, 29, 12, 30, tzinfo=UTC)
)
EVERYTHING = rules_of(
    rule(
        factors=["*:fall", "note_content:*"],
        cues=["person"],
        and_cues=["forklift", "pallet"],
        words=["weld", "溶接"],
        zones=["yard"],
        days=["sat", "sun"],
        hours=["22:00-06:00", "12:00-13:00"],
        at_least="caution",
        advice=ADVICE,
    ),
    rule(id="B-1", days=["mon"]),
    rule(id="C-1", hours=["08:00-09:00"]),
)
GOLDEN_EN = """\
A-1 (rulebook plant 7)
  the clause

It applies when all of this holds:
  - one of these risks is flagged: fall from height [wherever it comes from] or any risk [note, report]
  - the picture shows: person
  - the picture shows: forklift or pallet
  - the note contains: weld or 溶接
  - the place is: the clause
  - the time is: Sat or Sun, 22:00 to 06:00 of the next day or 12:00-13:00

Then: at least CAUTION
Advice: Do so.
It never lowers a verdict. Where something it asks about was not judged, it is shown as open."""
GOLDEN_JA = """\
A-1（ルールブック plant 7）
  条文

次のすべてに当てはまるとき：
  - 次のいずれかの危険がしきい値以上：墜落・転落 [出所を問わず]、またはすべての危険 [メモの報告]
  - 画像に写っているもの：人
  - 画像に写っているもの：フォークリフト、またはパレット
  - メモに含まれる語：weld、または溶接
  - 区域：条文
  - 日時：土、または日、22:00～翌日 06:00、または12:00-13:00

判定：「注意」以上
助言：そうする。
このルールが判定を下げることはありません。必要な項目が判定されていないときは「判断できない」と表示します。"""


def test_a_clause_in_plain_words() -> None:
    assert explain(EVERYTHING, EVERYTHING.book.rule[0], "en") == GOLDEN_EN
    assert explain(EVERYTHING, EVERYTHING.book.rule[0], "ja") == GOLDEN_JA


def test_a_time_without_days_or_without_hours() -> None:
    assert "the time is: Mon, at any time of day" in explain(EVERYTHING, EVERYTHING.book.rule[1], "en")
    assert "日時：毎日、08:00-09:00" in explain(EVERYTHING, EVERYTHING.book.rule[2], "ja")


def test_a_judgement_says_which_clauses_applied_and_which_are_open() -> None:
    assert AFTER.rules is not None
    clock = f"{AFTER.rules.time:%H:%M}"
    day = DAYS[AFTER.rules.time.weekday()]
    assert f"""STOP

No risk above its threshold.

The plant's rules (plant 7; zone not given, {ENGLISH.days[day]} {clock}):
- HOT-1 (at least STOP): the clause
  Raised by them from PROCEED.
- YARD-1 (at least CAUTION) is open, not known: no high-visibility vest, the zone

Do: Do so.
""" in render(AFTER, "en", PACK)
    assert f"""事業所ルール（plant 7、区域の指定なし、{JAPANESE.days[day]} {clock}）：
- HOT-1（「停止」）：条文
  ルールにより「進行可」から引き上げました。
- YARD-1（「注意」以上）は判断できません。不明な項目：高視認性ベストなし、区域

対応：そうする。
""" in render(AFTER, "ja", PACK)


def test_nothing_applies_is_said_too() -> None:
    calm = PlantRules(RULES, "shop").apply(judged(), Note("painting"))
    assert "zone shop" in render(calm, "en", PACK)
    assert "\n- none of them applies\n\nDo: " in render(calm, "en", PACK)


@pytest.mark.parametrize("name", ["effects", "missing", "days"])
def test_both_languages_have_the_same_words(name: str) -> None:
    assert getattr(ENGLISH, name).keys() == getattr(JAPANESE, name).keys()
