"""What the page says besides the words of a judgement."""

from typing import Any, Literal

from ..judgement import CALL_SUPERVISOR
from ..taxonomy import VERDICT_SLOT, Pack, Text
from ..wording import REASONS, wording

_PAGE = {
    "note": Text(en="Note: what is done here?", ja="メモ（これから行う作業）"),
    "use_note": Text(en="Use this note", ja="このメモで判定"),
    "judge": Text(en="Judge", ja="判定する"),
    "photo": Text(en="Picture", ja="写真"),
    "no_file": Text(en="Take or choose a picture first.", ja="先に写真を撮るか、選んでください。"),
    "note_taken": Text(
        en="Taken: it counts from the next picture on.",
        ja="反映しました。次の画像から、このメモで判定します。",
    ),
    "judged_note": Text(en="Judged with the note: ", ja="判定に使ったメモ："),
    "factors": Text(en="Where a risk could come from", ja="危険の出どころ"),
    "feedback": Text(en="Is this judgement right?", ja="この判定は合っていますか？"),
    "right": Text(en="Right", ja="合っている"),
    "wrong": Text(en="Wrong", ja="違う"),
    "should_be": Text(en="What should it be?", ja="正しい判定はどれですか？"),
    "only_wrong": Text(en="I do not know", ja="わからない"),
    "thanks": Text(en="Thank you, it is recorded.", ja="記録しました。ありがとうございます。"),
    "not_kept": Text(
        en="It could not be recorded. Try again.", ja="記録できませんでした。もう一度押してください。"
    ),
    "age": Text(en="{seconds} s ago", ja="{seconds} 秒前"),
    "shadow": Text(en="RECORDING ONLY", ja="記録のみ"),
    "shadow_advice": Text(
        en="On trial: nothing is judged for you. Work as you always do.",
        ja="試行中です。判定は表示されません。いつもどおりに作業してください。",
    ),
    "not_recorded": Text(
        en="It is not recorded. Tell the supervisor.", ja="記録されていません。監督者に知らせてください。"
    ),
    "rules_not_taken": Text(
        en="The plant's new rules are not used yet. If this stays, tell the supervisor.",
        ja="変更された現場ルールはまだ使われていません。この表示が消えなければ監督者に知らせてください。",
    ),
    "signals": Text(en="Signals: ", ja="外部への信号："),
    "signal_in_order": Text(en="{name} in order", ja="{name} 正常"),
    "signal_waiting": Text(en="{name} waiting", ja="{name} 接続待ち"),
    "signal_waiting_count": Text(en="{name} waiting ({count})", ja="{name} 送信待ち（{count} 件）"),
    "signal_failed": Text(en="{name} FAILED", ja="{name} 異常"),
    "signal_failed_count": Text(
        en="{name} FAILED, waiting ({count})", ja="{name} 異常、送信待ち（{count} 件）"
    ),
    "silent": Text(en="The box does not answer.", ja="装置から応答がありません。"),
    "nothing": Text(en="Nothing has been judged yet.", ja="まだ判定していません。"),
    "begin": Text(en="Take a picture and write a note.", ja="写真を撮り、メモを書いてください。"),
    "no_picture": Text(en="No picture", ja="画像なし"),
    "audit": Text(en="Audit", ja="監査画面"),
    "engineer": Text(en="Engineering", ja="技術者画面"),
    "set_up": Text(
        en="This box is not set up yet. Set it up",
        ja="この装置はまだ設定されていません。初期設定を始める",
    ),
    "other_language": Text(en="日本語", ja="English"),
    "no_script": Text(
        en="This page needs JavaScript. Without it nothing is judged.",
        ja="このページには JavaScript が必要です。無効のままでは判定できません。",
    ),
    "token": Text(en="Token of this box", ja="この装置のトークン"),
    "open": Text(en="Open", ja="開く"),
    "wrong_token": Text(en="That is not the token.", ja="トークンが違います。"),
}


def page_words(lang: Literal["en", "ja"]) -> dict[str, Any]:
    """Everything by its name, in one language."""
    words = wording(lang)
    return {
        **{name: text.of(lang) for name, text in _PAGE.items()},
        "verdicts": words.verdicts,
        "sources": words.sources,
        "not_looked": words.not_looked,
        "not_trained": words.not_trained,
        "comma": words.comma,
        "disclaimer": words.disclaimer,
        "call_supervisor": CALL_SUPERVISOR.of(lang),
    }


def reason_words() -> dict[str, dict[str, str]]:
    """Each reason's sentence in both languages."""
    return {reason: text.model_dump() for reason, text in REASONS.items()}


def slot_names(pack: Pack) -> dict[str, Text]:
    """What each slot asks for, without its source."""
    cues = {cue.id: cue.name for cue in pack.cue}
    return {
        slot.id: cues[slot.cue] if slot.cue is not None else pack.category_of(slot.category or "").name
        for slot in pack.slots
        if slot != VERDICT_SLOT
    }
