"""Every fixed word that a person reads, in both languages."""

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .errors import Dropped, Reason
from .judgement import NotKept
from .taxonomy import Source, Text
from .verdict import Verdict


class Lang(StrEnum):
    """Language of the text output."""

    EN = "en"
    JA = "ja"


@dataclass(frozen=True)
class Wording:
    """The words of one language; those with a name in braces are formats."""

    lang: Literal["en", "ja"]
    verdicts: dict[Verdict, str]
    sources: dict[Source, str]
    stages: dict[str, str]
    risks: str
    no_risks: str
    not_judged: str
    number: str
    span: str
    box: str
    advice: str
    not_trained: str
    not_looked: str
    timings: str
    seen: str
    also: str
    quoted: str
    shown: str
    because: str
    explained: str
    unexplained: str
    comma: str
    disclaimer: str


ENGLISH = Wording(
    lang="en",
    verdicts={
        Verdict.STOP: "STOP",
        Verdict.CAUTION: "CAUTION",
        Verdict.PROCEED: "PROCEED",
        Verdict.CANNOT_JUDGE: "CANNOT JUDGE",
    },
    sources={
        Source.IMAGE_CONTENT: "picture",
        Source.IMAGE_TEXT: "sign in the picture",
        Source.NOTE_INSTRUCTION: "note, instruction",
        Source.NOTE_CONTENT: "note, report",
        Source.COMBINATION: "note with picture",
    },
    stages={
        stage: stage
        for stage in (
            "load",
            "decode",
            "prepare",
            "vision",
            "look",
            "sign text",
            "note",
            "verdict",
            "evidence",
        )
    },
    risks="Risks above their threshold:",
    no_risks="No risk above its threshold.",
    not_judged="Nothing was judged.",
    number="{p:.2f} (threshold {threshold:.2f})",
    span="note: characters {start} to {end}",
    box="picture: {x0} to {x1} % from the left, {y0} to {y1} % from the top",
    advice="Do: ",
    not_trained="Not trained, so not judged: ",
    not_looked="Not looked at: ",
    timings="Time: {judge:.0f} ms to the verdict ({parts}); besides: {rest}",
    seen="Seen: {seen}.",
    also="; ",
    quoted='{source} "{words}"',
    shown="{source} ({what})",
    because=" Why: {why}.",
    explained="{text} (said within {ms:.0f} ms, after the verdict)",
    unexplained="No explanation: {why} ({ms:.0f} ms).",
    comma=", ",
    disclaimer="Yochi advises. It is not a safety function.",
)

JAPANESE = Wording(
    lang="ja",
    verdicts={
        Verdict.STOP: "停止",
        Verdict.CAUTION: "注意",
        Verdict.PROCEED: "進行可",
        Verdict.CANNOT_JUDGE: "判定不能",
    },
    sources={
        Source.IMAGE_CONTENT: "画像",
        Source.IMAGE_TEXT: "画像内の掲示",
        Source.NOTE_INSTRUCTION: "メモの指示",
        Source.NOTE_CONTENT: "メモの報告",
        Source.COMBINATION: "メモと画像の組み合わせ",
    },
    stages={
        "load": "読み込み",
        "decode": "画像の読み取り",
        "prepare": "前処理",
        "vision": "画像認識",
        "look": "画像の確認",
        "sign text": "掲示の読み取り",
        "note": "メモ",
        "verdict": "判定",
        "evidence": "根拠",
    },
    risks="しきい値以上の危険：",
    no_risks="しきい値以上の危険はありません。",
    not_judged="判定は行われていません。",
    number="{p:.2f}（しきい値 {threshold:.2f}）",
    span="メモの {start}～{end} 文字目",
    box="画像の左から {x0}～{x1} %、上から {y0}～{y1} %",
    advice="対応：",
    not_trained="未学習のため判定していない項目：",
    not_looked="確認していない項目：",
    timings="所要時間：判定まで {judge:.0f} ms（{parts}）、ほかに {rest}",
    seen="根拠：{seen}。",
    also="、",
    quoted="{source}「{words}」",
    shown="{source}（{what}）",
    because="理由：{why}。",
    explained="{text}（判定後 {ms:.0f} ms で作成）",
    unexplained="説明はありません：{why}（{ms:.0f} ms）。",
    comma="、",
    disclaimer="Yochi は助言を行うもので、安全機能ではありません。",
)

NOT_KEPT: dict[NotKept, Text] = {
    NotKept.NOT_LOOKED: Text(
        en="The picture was not kept: heads were not looked for in it, so they could not be blurred.",
        ja="画像は保存されていません。頭部を検出する前に判定が終わり、ぼかせなかったためです。",
    ),
    NotKept.NO_CUES: Text(
        en="The picture was not kept: this bundle does not see heads, so they could not be blurred.",
        ja="画像は保存されていません。このモデル一式では頭部を検出できず、ぼかせないためです。",
    ),
}
REASONS: dict[Reason, Text] = {
    Reason.FRAME_UNREADABLE: Text(en="The picture cannot be read.", ja="画像を読み取れません。"),
    Reason.FRAME_TRUNCATED: Text(en="The picture is broken.", ja="画像が壊れています。撮り直してください。"),
    Reason.FRAME_TOO_SMALL: Text(en="The picture is too small.", ja="画像が小さすぎます。"),
    Reason.FRAME_TOO_LARGE: Text(en="The picture is too large.", ja="画像が大きすぎます。"),
    Reason.FRAME_BLANK: Text(
        en="The picture shows nothing.", ja="画像に何も写っていません。カメラを確認してください。"
    ),
    Reason.FRAME_DARK: Text(
        en="The picture is too dark. Switch the light on.", ja="画像が暗すぎます。照明をつけてください。"
    ),
    Reason.FRAME_OVEREXPOSED: Text(
        en="The picture is too bright. Keep light out of the lens or lower the exposure.",
        ja="画像が明るすぎます。レンズに光が入らないようにするか、露出を下げてください。",
    ),
    Reason.FRAME_COVERED: Text(
        en="The camera is covered. Take away what is in front of it.",
        ja="カメラが覆われています。前にある物をどけてください。",
    ),
    Reason.FRAME_BLURRED: Text(
        en="The picture is blurred. Wipe the lens and check the focus.",
        ja="画像がぼやけています。レンズを拭き、ピントを確認してください。",
    ),
    Reason.FRAME_STALE: Text(en="The picture is too old.", ja="画像が古すぎます。"),
    Reason.FRAME_FROZEN: Text(
        en="The camera keeps sending the same picture. Restart it.",
        ja="映像が止まっています。カメラを再起動してください。",
    ),
    Reason.FRAME_RESIZED: Text(
        en="The camera's resolution has changed. Set it back.",
        ja="カメラの解像度が変わっています。元の設定に戻してください。",
    ),
    Reason.FRAME_MOVED: Text(
        en="The camera does not show its usual view. Turn it back or take a new reference picture.",
        ja="カメラの向きが変わっています。元に戻すか、基準画像を撮り直してください。",
    ),
    Reason.NOTE_EMPTY: Text(en="The note is empty.", ja="メモが空です。作業内容を書いてください。"),
    Reason.NOTE_TOO_LONG: Text(en="The note is too long.", ja="メモが長すぎます。短くしてください。"),
    Reason.NOTE_UNREADABLE: Text(en="The note cannot be read.", ja="メモを読み取れません。"),
    Reason.LANGUAGE_NOT_PROVED: Text(
        en="Yochi is not proved for this language.", ja="このメモの言語は検証されていません。"
    ),
    Reason.BUNDLE_MISSING: Text(en="The model bundle is missing.", ja="モデル一式が見つかりません。"),
    Reason.BUNDLE_CHANGED: Text(en="The model bundle was changed.", ja="モデル一式が改変されています。"),
    Reason.BUNDLE_INVALID: Text(en="The model bundle is not valid.", ja="モデル一式が正しくありません。"),
    Reason.BUNDLE_NEWER: Text(
        en="The model bundle is newer than Yochi.", ja="モデル一式が Yochi より新しい形式です。"
    ),
    Reason.BUNDLE_TOO_LARGE: Text(
        en="The model bundle does not fit this machine's memory.",
        ja="モデル一式がこの機器のメモリに収まりません。",
    ),
    Reason.BUNDLE_UNSIGNED: Text(en="The model bundle is not signed.", ja="モデル一式に署名がありません。"),
    Reason.BUNDLE_SIGNATURE: Text(
        en="The model bundle's signature is wrong, or of somebody whom this box does not trust.",
        ja="モデル一式の署名が正しくないか、この装置が信頼していない者の署名です。",
    ),
    Reason.TRUST_DAMAGED: Text(
        en="The keys that this box trusts cannot be read.", ja="この装置が信頼する鍵を読み取れません。"
    ),
    Reason.BASE_MISSING: Text(
        en="The base language model is missing.", ja="基盤の言語モデルが見つかりません。"
    ),
    Reason.BASE_CHANGED: Text(
        en="The base language model was changed.", ja="基盤の言語モデルが改変されています。"
    ),
    Reason.UNPROVED: Text(
        en="The model is not proved; the numbers below are no judgement.",
        ja="モデルが検証されていません。以下の数値は判定ではありません。",
    ),
    Reason.ENGINE_FAILED: Text(en="A model failed while it ran.", ja="モデルの実行に失敗しました。"),
    Reason.ENGINE_OUTPUT: Text(en="A model gave invalid numbers.", ja="モデルの出力が正しくありません。"),
    Reason.ENGINE_TIMEOUT: Text(
        en="A model did not answer in time.", ja="モデルが時間内に応答しませんでした。"
    ),
    Reason.EXPIRED: Text(
        en="The judgement is too old. Judge again.", ja="判定が古くなりました。もう一度判定してください。"
    ),
    Reason.AUDIT_FAILED: Text(en="The judgement could not be recorded.", ja="判定を記録できません。"),
    Reason.AUDIT_DAMAGED: Text(
        en="The log of judgements is damaged.", ja="判定の記録ファイルが壊れているか、書き換えられています。"
    ),
}


DROPS: dict[Dropped, Text] = {
    Dropped.INTERRUPTED: Text(en="something else was to be judged", ja="次の判定を優先しました"),
    Dropped.LATE: Text(en="it took too long", ja="時間内に終わりませんでした"),
    Dropped.TOO_LONG: Text(en="it would be too long", ja="長すぎるため作れません"),
    Dropped.INVALID: Text(en="it did not fit the judgement", ja="判定と合わない説明でした"),
    Dropped.ENGINE_FAILED: Text(en="the model failed", ja="モデルの実行に失敗しました"),
    Dropped.ENGINE_OUTPUT: Text(en="the model gave invalid numbers", ja="モデルの出力が正しくありません"),
    Dropped.ENGINE_TIMEOUT: Text(
        en="the model did not answer in time", ja="モデルが時間内に応答しませんでした"
    ),
    Dropped.RESTING: Text(
        en="the model failed in an earlier one", ja="以前の説明でモデルが停止したため休止中です"
    ),
    Dropped.FAILED: Text(en="Yochi failed", ja="Yochi の内部エラーです"),
}


def wording(lang: Literal["en", "ja"]) -> Wording:
    return JAPANESE if lang == "ja" else ENGLISH


def display_language(lang: Lang | None) -> Literal["en", "ja"]:
    """`lang`, or the locale's."""
    if lang is not None:
        return lang.value
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "ja" if locale.lower().startswith("ja") else "en"
