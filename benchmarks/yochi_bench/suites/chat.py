"""A model behind an OpenAI-compatible endpoint, which sees one picture and writes one answer.

One POST to `URL/chat/completions` a question, temperature 0; no redirect is followed, since it would carry
the key along. Every reply is kept in a file, so that a run that was stopped goes on where it was.
"""

import base64
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

from .replies import Replies

TIMEOUT = 300.0  # seconds of silence
TRIES, FIRST_WAIT = 4, 1.0  # seconds, doubled each time
MOST_TOKENS = 1024
MOST_BYTES = 4 * 1024 * 1024
_TYPES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class ChatModel:
    """`named` is `MODEL@URL`, the URL ending before /chat/completions; `key_variable` may hold a key."""

    named: str
    key_variable: str
    replies: Replies
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        model, _, address = self.named.partition("@http")
        if (
            not model
            or not address.startswith(("://", "s://"))
            or set("?# ") & set(address)
            or "@" in address
        ):
            raise UsageError(
                f"expected MODEL@URL such as qwen@http://localhost:8000/v1, got {self.named!r}; a key "
                f"belongs into {self.key_variable}"
            )

    @property
    def model(self) -> str:
        return self.named.partition("@http")[0]

    def ask(self, text: str, image: Path) -> str:
        """The answer, empty where it has no words. UsageError where none can be had."""
        suffix = _TYPES.get(image.suffix.lower())
        if suffix is None:
            raise UsageError(f"expected a picture of {', '.join(_TYPES)}, got {image}")
        picture = image.read_bytes()
        identity = hashlib.sha256(b"\0".join((self.named.encode(), text.encode(), picture))).hexdigest()
        known = self.replies.get(identity)
        if known is not None:
            return known
        url = f"data:image/{suffix};base64,{base64.b64encode(picture).decode('ascii')}"
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
        payload = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
        }
        answer = self._answered(json.dumps(payload).encode("ascii"))
        self.replies.keep(identity, self.model, image.name, text, answer)
        return answer

    def _answered(self, body: bytes) -> str:
        for number in range(TRIES):
            try:
                return self._post(body)
            except urllib.error.HTTPError as e:
                with e:
                    fault = f"{e.code} ({e.reason})"
                if e.code < 500 and e.code not in (408, 425, 429):
                    raise UsageError(self._refusal(fault)) from e
            except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError) as e:
                fault = f"{type(e).__name__}: {e}"
            if number < TRIES - 1:
                self.sleep(FIRST_WAIT * 2**number)
        raise UsageError(self._refusal(f"{fault} after {TRIES} tries"))

    def _post(self, body: bytes) -> str:
        url = self.named[len(self.model) + 1 :].rstrip("/")
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.key_variable, "").strip():
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(f"{url}/chat/completions", body, headers)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as response:
            read = response.read(MOST_BYTES + 1)
        if len(read) > MOST_BYTES:
            raise ValueError(f"a body of more than {MOST_BYTES} bytes")
        content = json.loads(read)["choices"][0]["message"]["content"]
        if content is not None and not isinstance(content, str):
            raise TypeError(f"content of type {type(content).__name__}")
        return content or ""

    def _refusal(self, got: str) -> str:
        return (
            f"expected an answer of {self.named}, got {got}; see that it runs and takes pictures, a key goes "
            f"into {self.key_variable}; the same command goes on"
        )
