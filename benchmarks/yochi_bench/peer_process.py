"""One peer in a process of its own, so that its memory is its own: a line asks, a line of JSON answers.

All peers have the same language model, LoRA, number of threads, pictures, notes and order of questions:

- `yochi`: the judge. One pass reads every slot
- `json`: llama-cpp-python writes a verdict, a source and a category as JSON, under the schema's grammar
- `token`: llama-cpp-python writes one token, the verdict, with its log-probabilities
- `chat`: llama-cpp-python's chat handler (its ChatML) writes the JSON. It clears the cache on every call
- `server-json`, `server-token`: the same two through llama-server with its caches (`peer_server`)
- `server-json`, `server-token` of a stock bundle: llama-server sees the picture, too (`peer_seeing`)
- `torch`: the same slots read by transformers in PyTorch, picture included (`yochi_export.peer_torch`)

Of yochi-nano those that write see no picture, so what they cost is less than a peer that sees would. None
knows slots.
Their prompt begins with what does not change, which a cache keeps.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

from yochi_runtime.base import find_base
from yochi_runtime.bundle import LORA, Kind
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.opening import read_bundle
from yochi_runtime.taxonomy import Pack
from yochi_runtime.tokens import TextTokenizer
from yochi_runtime.verdict import JUDGED

from .memory import memory_table
from .peer_answers import (
    CONTEXT,
    LIKELIEST,
    MOST_TOKENS,
    TASK,
    Answer,
    answer_schema,
    likeliest,
    prompt_ids,
    verdict_of,
)
from .peer_seeing import SeeingServer
from .peer_server import ServerWriter
from .peer_settings import PeerName, PeerSettings
from .timed import check_judged
from .workload import Given

# A new frame, or the last one with another note; and the end.
ASK, NOTE, END = "ask", "note", "end"


class Writer:
    """llama-cpp-python, which writes. `words` to ids without control tokens; `lora` None for none."""

    def __init__(
        self,
        base: Path,
        lora: Path | None,
        words: Callable[[str], list[int]],
        threads: int,
        logprobs: bool = True,
    ) -> None:
        # First: it sets how the library's threads wait.
        import yochi_runtime.language  # noqa: F401
        from llama_cpp import Llama

        self._words = words
        self._llama = Llama(
            model_path=str(base),
            lora_path=None if lora is None else str(lora),
            n_ctx=CONTEXT,
            n_batch=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=logprobs,  # it gives none without; who needs none is faster without
            chat_format="chatml",
            verbose=False,
        )

    def write_chat(self, note: Note, pack: Pack) -> Answer:
        """As `write_json`, through the library's chat handler; its own template, control tokens and all."""
        form = {"type": "json_object", "schema": answer_schema(pack)}
        said = [{"role": "user", "content": f"{TASK}\nNote: {note.text}"}]
        done: Any = self._llama.create_chat_completion(
            said, response_format=form, max_tokens=MOST_TOKENS, temperature=0.0
        )
        text = done["choices"][0]["message"]["content"]
        return {"verdict": verdict_of(text or ""), "tokens": done["usage"]["completion_tokens"]}

    def write_json(self, note: Note, pack: Pack) -> Answer:
        """Greedy, so that every run writes the same."""
        from llama_cpp import LlamaGrammar

        grammar = LlamaGrammar.from_json_schema(json.dumps(answer_schema(pack)), verbose=False)
        done: Any = self._llama.create_completion(
            prompt_ids(self._words, note, "\nJSON:"), max_tokens=MOST_TOKENS, temperature=0.0, grammar=grammar
        )
        return {
            "verdict": verdict_of(done["choices"][0]["text"]),
            "tokens": done["usage"]["completion_tokens"],
        }

    def write_token(self, note: Note) -> Answer:
        """The likeliest verdict by the log-probability of its first token among the likeliest 1,000."""
        done: Any = self._llama.create_completion(
            prompt_ids(self._words, note, "\nVerdict:"), max_tokens=1, temperature=0.0, logprobs=LIKELIEST
        )
        found = done["choices"][0]["logprobs"]
        likely = found["top_logprobs"][0] if found and found["top_logprobs"] else {}
        verdict = likeliest({v.value: likely.get(f" {v}", -math.inf) for v in JUDGED})
        return {"verdict": verdict, "tokens": done["usage"]["completion_tokens"]}


@contextmanager
def opened(settings: PeerSettings) -> Iterator[Callable[[Inspection], Answer]]:
    """What answers one inspection."""
    if settings.peer is PeerName.YOCHI:
        with Judge.open(_path(settings.bundle), threads=settings.threads) as judge:
            yield lambda inspection: _judged(judge, inspection)
        return
    bundle = read_bundle(_path(settings.bundle))
    if bundle.manifest.kind is Kind.STOCK:
        server = SeeingServer(bundle, settings.threads)
        yield server.write_json if settings.peer is PeerName.SERVER_JSON else server.write_token
        return
    tokenizer = TextTokenizer.load(bundle.path)
    base = find_base(bundle.manifest.base)
    given = (base, bundle.path / LORA, tokenizer.encode, settings.threads)
    if settings.peer in (PeerName.SERVER_JSON, PeerName.SERVER_TOKEN):
        writer: Writer | ServerWriter = ServerWriter(*given)
    else:
        writer = Writer(*given, logprobs=settings.peer is PeerName.TOKEN)
    if settings.peer is PeerName.CHAT and isinstance(writer, Writer):
        yield lambda inspection: writer.write_chat(inspection.note, bundle.pack)
    elif settings.peer in (PeerName.JSON, PeerName.SERVER_JSON):
        yield lambda inspection: writer.write_json(inspection.note, bundle.pack)
    else:
        yield lambda inspection: writer.write_token(inspection.note)


def _judged(judge: Judge, inspection: Inspection) -> Answer:
    judgement = judge.judge(inspection)
    check_judged(judgement)
    stages = judgement.timings_ms
    found = {"verdict": judgement.verdict.value, "tokens": judgement.decoded_tokens}
    return {**found, "to_verdict_ms": stages["judge"]}


Opened = Callable[[PeerSettings], AbstractContextManager[Callable[[Inspection], Answer]]]


def _path(bundle: str | None) -> Path | None:
    return None if bundle is None else Path(bundle)


def serve(settings: PeerSettings, lines: TextIO, out: TextIO, opened: Opened = opened) -> None:
    """READY, then a line for every ASK and NOTE, and the memory at END."""
    asked = Given("", tuple(map(Path, settings.images)), settings.notes).read()
    new, notes, inspection = asked.new_frames(), cycle(asked.notes), asked.inspections[0]
    with opened(settings) as answer:
        _say(out, {"ready": True})
        for line in lines:
            if line.strip() == END:
                _say(out, {"peak": memory_table().rows[-1].cells["peak"].model_dump()})
                return
            if line.strip() == ASK:
                inspection = next(new)
            else:
                other = (note for note in notes if note != inspection.note)
                inspection = Inspection(inspection.frame, next(other))
            start = time.perf_counter()
            found = answer(inspection)
            _say(out, {"ms": (time.perf_counter() - start) * 1e3, **found})


def _say(out: TextIO, words: dict[str, Any]) -> None:
    out.write(json.dumps(words) + "\n")
    out.flush()


def main() -> None:
    """The process: settings as JSON in the first argument."""
    serve(PeerSettings.model_validate_json(sys.argv[1]), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
