"""A peer that sees: llama-server inside of this process (xllamacpp) with a stock bundle's own two files.

It is asked as its clients do, with picture and words in one chat message, caches on. It gets the picture as
large as the model sees it: a whole frame would cost it a resize more.
"""

import base64
import io
import json
import math
from typing import Any

from PIL import Image
from yochi_runtime.bundle import MMPROJ, TEXT, Bundle
from yochi_runtime.engines import Rgb
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection
from yochi_runtime.layout import Layout, read_layout
from yochi_runtime.taxonomy import Pack
from yochi_runtime.tokens import TextTokenizer
from yochi_runtime.verdict import JUDGED

from .peer_answers import LIKELIEST, TASK, Answer, likeliest

CONTEXT = 1024  # positions: two pictures (see below), words, a note, an answer
_QUIET = -1  # llama-server's own lines


def shortest_answer(pack: Pack) -> str:
    """The shortest JSON that says what Yochi does of one flagged factor: a verdict, and its source with its
    category."""
    factor = min((slot.id for slot in pack.risk_slots), key=len)
    return json.dumps({"verdict": "stop", "factors": [factor]}, separators=(",", ":"))


def forced_tokens(bundle: Bundle) -> int:
    """How many tokens that answer has: so many are written, whatever they say."""
    return len(TextTokenizer.load(bundle.path).encode(shortest_answer(bundle.pack)))


def seeing_schema(pack: Pack) -> dict[str, Any]:
    """Of that answer, with more factors than can be said in its tokens: nothing ends before them."""
    factors = {"enum": [slot.id for slot in pack.risk_slots]}
    return {
        "type": "object",
        "properties": {
            "verdict": {"enum": [verdict.value for verdict in JUDGED]},
            "factors": {"type": "array", "items": factors, "minItems": 32, "maxItems": 32},
        },
        "required": ["verdict", "factors"],
        "additionalProperties": False,
    }


def shown(layout: Layout, frame: Frame) -> Rgb:
    """The picture as large as it is seen, with the number in a new frame's first pixel: shrinking rounds it
    away, and what the server has seen before costs it nothing."""
    rgb = layout.prepare(frame).copy()
    rgb[0, 0] = frame.rgb[0, 0]
    return rgb


class SeeingServer:
    """Of a stock bundle, which says how large a picture is seen."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        import xllamacpp

        self._layout, self._pack = read_layout(bundle.path), bundle.pack
        self._tokens = forced_tokens(bundle)
        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(bundle.path / TEXT)
        wanted.mmproj.path = str(bundle.path / MMPROJ)
        wanted.mmproj_use_gpu = False
        wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = CONTEXT
        wanted.n_parallel = 1  # one question in flight: one slot keeps the whole cache
        wanted.fit_params = wanted.warmup = False
        wanted.verbosity = _QUIET
        for cores in (wanted.cpuparams, wanted.cpuparams_batch):
            cores.n_threads = threads
        self._server = xllamacpp.Server(wanted)

    def write_json(self, inspection: Inspection) -> Answer:
        """Greedy under the schema, cut off after `forced_tokens`."""
        form = {"type": "json_schema", "json_schema": {"schema": seeing_schema(self._pack)}}
        done = self._complete(inspection, self._tokens, response_format=form)
        written = done["usage"]["completion_tokens"]
        if written != self._tokens:
            raise EngineError(
                Reason.ENGINE_OUTPUT,
                f"expected {self._tokens} tokens of llama-server, got {written}; report it",
            )
        return {"verdict": None, "tokens": written}

    def write_token(self, inspection: Inspection) -> Answer:
        """One token with the log-probabilities of the likeliest."""
        done = self._complete(inspection, 1, logprobs=True, top_logprobs=LIKELIEST)
        found = done["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        scores = {entry["token"].strip(): entry["logprob"] for entry in reversed(found)}
        verdict = likeliest({v.value: scores.get(v.value, -math.inf) for v in JUDGED})
        return {"verdict": verdict, "tokens": done["usage"]["completion_tokens"]}

    def _complete(self, inspection: Inspection, most: int, **more: Any) -> dict[str, Any]:
        picture = {"type": "image_url", "image_url": {"url": self._url(inspection)}}
        # The note last: what stands before it is kept while the frame is the same.
        words = {"type": "text", "text": f"{TASK}\nNote: {inspection.note.text}"}
        asked = {
            "messages": [{"role": "user", "content": [picture, words]}],
            "max_tokens": most,
            "temperature": 0.0,
            "cache_prompt": True,
            "ignore_eos": True,
        }
        done: dict[str, Any] = self._server.handle_chat_completions({**asked, **more})
        if "choices" not in done:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected an answer of llama-server, got {str(done)[:200]}; leave it out",
            )
        return done

    def _url(self, inspection: Inspection) -> str:
        """BMP costs nothing to write or to read."""
        file = io.BytesIO()
        Image.fromarray(shown(self._layout, inspection.frame)).save(file, "BMP")
        return f"data:image/bmp;base64,{base64.b64encode(file.getvalue()).decode()}"
