"""Whether a note contains a word of a rule, however it was typed.

Both are folded: NFKC (full and half width become one), case, hiragana and katakana, hyphens and spaces, and
characters that nobody sees. ふぉーくりふと, ﾌｫｰｸﾘﾌﾄ and フォ-クリフト are one word; Lock-Out is lock out.

A word in Latin letters or digits must begin where a word of the note begins, and the note's may go on: `weld`
is in "welding", `lock` is not in "unlock". Japanese has no spaces, so there a word is found anywhere. Whoever
writes a rule therefore avoids words of two kana: ガス is in 水をながす.
"""

import re
import unicodedata

_KATAKANA = {hiragana: hiragana + 0x60 for hiragana in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
_DASH = r"\-‐‑‒–—―−"
_DASH_FOR_LONG_VOWEL = re.compile(f"(?<=[ァ-ヺー])[{_DASH}](?=[ァ-ヺ])")  # フォ-ク, a common way to type it
_GAP = re.compile(rf"[\s{_DASH}]+")
_JAPANESE = "ァ-ヿ々〇㐀-䶿一-鿿"
_GAP_IN_JAPANESE = re.compile(f"(?<=[{_JAPANESE}]) (?=[{_JAPANESE}])")  # a line break, or the keyboard's


def fold(text: str) -> str:
    """`text` in the one form in which words are compared."""
    wide = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(c for c in wide if unicodedata.category(c) != "Cf").translate(_KATAKANA)
    whole = unicodedata.normalize("NFKC", seen)  # folding may have brought a kana and its sound mark together
    spaced = _GAP.sub(" ", _DASH_FOR_LONG_VOWEL.sub("ー", whole)).strip()
    return _GAP_IN_JAPANESE.sub("", spaced)


def contains(note: str, word: str) -> bool:
    """Whether `word` is in `note`, both folded."""
    start = note.find(word)
    while start >= 0:
        if start == 0 or not (_latin(word[0]) and _latin(note[start - 1])):
            return True
        start = note.find(word, start + 1)
    return False


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
