"""Every fixed word about the plant's rules, in both languages."""

from dataclasses import dataclass
from typing import Literal

from .ruling import Effect
from .time_windows import Day


@dataclass(frozen=True)
class RuleWording:
    """The words of one language; those with braces are formats."""

    head: str
    zone: str
    no_zone: str
    clause: str
    effects: dict[Effect, str]
    none: str
    raised: str
    open: str
    missing: dict[str, str]
    book: str
    when: str
    factors: str
    any_source: str
    any_category: str
    cues: str
    words: str
    zones: str
    time: str
    all_day: str
    every_day: str
    days: dict[Day, str]
    window: str
    or_: str
    then: str
    advice: str
    says: str


ENGLISH = RuleWording(
    head="The plant's rules ({book} {version}; {zone}, {time}):",
    zone="zone {zone}",
    no_zone="zone not given",
    clause="- {clause} ({effect}): {wording}",
    effects={"advice": "advice", "caution": "at least CAUTION", "stop": "at least STOP"},
    none="- none of them applies",
    raised="  Raised by them from {verdict}.",
    open="- {clause} ({effect}) is open, not known: {missing}",
    missing={"note": "the note", "zone": "the zone"},
    book="{clause} (rulebook {book} {version})",
    when="It applies when all of this holds:",
    factors="one of these risks is flagged: {any}",
    any_source="wherever it comes from",
    any_category="any risk",
    cues="the picture shows: {any}",
    words="the note contains: {any}",
    zones="the place is: {any}",
    time="the time is: {days}, {hours}",
    all_day="at any time of day",
    every_day="any day",
    days={"mon": "Mon", "tue": "Tue", "wed": "Wed", "thu": "Thu", "fri": "Fri", "sat": "Sat", "sun": "Sun"},
    window="{start} to {end} of the next day",
    or_=" or ",
    then="Then: {effect}",
    advice="Advice: {advice}",
    says="It never lowers a verdict. Where something it asks about was not judged, it is shown as open.",
)

JAPANESE = RuleWording(
    head="事業所ルール（{book} {version}、{zone}、{time}）：",
    zone="区域 {zone}",
    no_zone="区域の指定なし",
    clause="- {clause}（{effect}）：{wording}",
    effects={"advice": "助言", "caution": "「注意」以上", "stop": "「停止」"},
    none="- 該当するルールはありません",
    raised="  ルールにより「{verdict}」から引き上げました。",
    open="- {clause}（{effect}）は判断できません。不明な項目：{missing}",
    missing={"note": "メモ", "zone": "区域"},
    book="{clause}（ルールブック {book} {version}）",
    when="次のすべてに当てはまるとき：",
    factors="次のいずれかの危険がしきい値以上：{any}",
    any_source="出所を問わず",
    any_category="すべての危険",
    cues="画像に写っているもの：{any}",
    words="メモに含まれる語：{any}",
    zones="区域：{any}",
    time="日時：{days}、{hours}",
    all_day="終日",
    every_day="毎日",
    days={"mon": "月", "tue": "火", "wed": "水", "thu": "木", "fri": "金", "sat": "土", "sun": "日"},
    window="{start}～翌日 {end}",
    or_="、または",
    then="判定：{effect}",
    advice="助言：{advice}",
    says="このルールが判定を下げることはありません。必要な項目が判定されていないときは「判断できない」と表示します。",
)


def rule_wording(lang: Literal["en", "ja"]) -> RuleWording:
    return JAPANESE if lang == "ja" else ENGLISH
