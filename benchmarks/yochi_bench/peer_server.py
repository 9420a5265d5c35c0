"""A peer: llama-server inside of this process (xllamacpp), with its prompt cache, asked as its clients do.

The package is no part of the box: `pip install 'yochi[bench]'`.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.inspection import Note
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import JUDGED

from .peer_answers import (
    CONTEXT,
    LIKELIEST,
    MOST_TOKENS,
    Answer,
    answer_schema,
    likeliest,
    prompt_ids,
    verdict_of,
)

_QUIET = -1  # llama-server's own lines


class ServerWriter:
    """`words` to ids without control tokens; `lora` None for none."""

    def __init__(
        self, base: Path, lora: Path | None, words: Callable[[str], list[int]], threads: int
    ) -> None:
        import xllamacpp

        self._words = words
        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(base)
        wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = CONTEXT
        wanted.n_parallel = 1  # one question in flight: one slot keeps the whole cache
        wanted.fit_params = wanted.warmup = False
        wanted.verbosity = _QUIET
        for cores in (wanted.cpuparams, wanted.cpuparams_batch):
            cores.n_threads = threads
        if lora is not None:
            wanted.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        self._server = xllamacpp.Server(wanted)

    def write_json(self, note: Note, pack: Pack) -> Answer:
        """Greedy under the schema."""
        done = self._complete(note, "\nJSON:", MOST_TOKENS, json_schema=answer_schema(pack))
        return {
            "verdict": verdict_of(done["choices"][0]["text"]),
            "tokens": done["usage"]["completion_tokens"],
        }

    def write_token(self, note: Note) -> Answer:
        """One token with the log-probabilities of the likeliest."""
        done = self._complete(note, "\nVerdict:", 1, n_probs=LIKELIEST)
        found = done["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        scores = {entry["token"]: entry["logprob"] for entry in found}
        verdict = likeliest({v.value: scores.get(f" {v}", -math.inf) for v in JUDGED})
        return {"verdict": verdict, "tokens": done["usage"]["completion_tokens"]}

    def _complete(self, note: Note, end: str, most: int, **more: Any) -> dict[str, Any]:
        asked = {"prompt": prompt_ids(self._words, note, end), "max_tokens": most, "temperature": 0.0}
        done: dict[str, Any] = self._server.handle_completions({**asked, "cache_prompt": True, **more})
        if "choices" not in done:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected an answer of llama-server, got {str(done)[:200]}; leave it out",
            )
        return done
