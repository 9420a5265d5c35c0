"""What others published for these suites, to be read beside our rows and never ranked with them.

Judges, prompts and dates differ. Percent, as published.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """`score` names a column of the suite's table; `percent` 0..100."""

    who: str
    score: str
    percent: float
    source: str


_MOSS = "MOSSBench's README, github.com/xirui-li/MOSSBench, 2024-06-22"
REFERENCES: dict[str, tuple[Reference, ...]] = {
    "siuo": (
        Reference("GPT-4V", "safe", 53.26, "SIUO's authors, arXiv 2406.15279"),
        Reference("GPT-4V", "safe and effective", 23.35, "DREAM's repository, github.com/Kizna1ver/DREAM"),
    ),
    "mossbench": (
        Reference("Claude 3 Opus (web)", "refused", 70.67, _MOSS),
        Reference("Gemini Pro 1.5", "refused", 29.33, _MOSS),
        Reference("Qwen-VL-Chat", "refused", 21.67, _MOSS),
        Reference("LLaVA-1.5-7b", "refused", 12.33, _MOSS),
        Reference("MiniCPM-V 2.0", "refused", 12.33, _MOSS),
        Reference("GPT-4o", "refused", 6.33, _MOSS),
    ),
}
