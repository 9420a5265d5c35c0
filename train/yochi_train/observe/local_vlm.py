"""A teacher in this process: any vision-language model of transformers, by hub id or folder.

Nothing constrains its words to the JSON schema, as an endpoint's grammar does: where they do not fit it, the
question is asked again and then counted, as with every teacher.
"""

import threading
from functools import cached_property
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from ..vlm.hub import pinned
from .endpoint import MAX_TOKENS
from .teacher import Answer, Json, Question, TeacherError, TeacherRefused


class LocalVlm:
    """`name` is a hub id or the folder of a model and its processor. Greedy, on the GPU where there is one.

    TeacherError where it cannot be loaded, TeacherRefused for a question that is longer than its context.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._processor = AutoProcessor.from_pretrained(name)  # type: ignore[no-untyped-call]
            vlm: Any = AutoModelForImageTextToText.from_pretrained(name, dtype="auto")
        except (OSError, ValueError, ImportError) as e:
            why = " ".join(str(e).split())[:200]
            raise TeacherError(
                f"expected a vision-language model that transformers loads at {name}, got: {why}; "
                "give its hub id, or the folder that holds it"
            ) from e
        self._vlm = vlm.to(self._device).eval()
        text = self._vlm.config.get_text_config()
        self._context = int(text.max_position_embeddings)
        self._one_at_a_time = threading.Lock()

    @cached_property
    def model(self) -> str:
        """The name with what pins the weights: the hub's commit, or the hash of a folder's weights."""
        return pinned(self._name, self._vlm)

    def ask(self, question: Question) -> Answer:
        """The model's words, with the tokens of question (image tokens included) and answer counted."""
        with self._one_at_a_time, torch.inference_mode():
            inputs = self._processor.apply_chat_template(
                [_for_template(message) for message in question.messages],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            ).to(self._device)
            asked = int(inputs["input_ids"].shape[1])
            if asked + MAX_TOKENS > self._context:
                raise TeacherRefused(
                    f"expected at most {self._context - MAX_TOKENS} tokens in a question to {self._name}, "
                    f"got {asked} for {question.pair.id}; ask a model with a longer context"
                )
            inputs = {k: v.to(self._vlm.dtype) if v.is_floating_point() else v for k, v in inputs.items()}
            said = self._vlm.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)[0, asked:]
        text = self._processor.decode(said, skip_special_tokens=True)
        return Answer(text.strip(), self.model, asked, len(said))


def _for_template(message: Json) -> Json:
    """A message of the chat API as transformers' templates take it: a list of parts, pictures as URLs."""
    content = message["content"]
    parts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {"role": message["role"], "content": [_part(part) for part in parts]}


def _part(part: Json) -> dict[str, Any]:
    return {"type": "image", "url": part["image_url"]["url"]} if part["type"] == "image_url" else part
