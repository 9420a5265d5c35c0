"""What models have answered, one JSON object a line, kept as it comes."""

import json
from pathlib import Path

from yochi_runtime.errors import UsageError

FILE = "replies.jsonl"


class Replies:
    """By the hash of what was asked. UsageError for a file of another form; a line cut off is dropped."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._known: dict[str, str] = {}
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._file.write_text(whole, encoding="utf-8")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                self._known[row["sha256"]] = row["reply"]
            except (ValueError, KeyError, TypeError) as e:
                raise UsageError(
                    f"expected a kept reply in {self._file}:{number}, got: {e}; remove it"
                ) from e

    def get(self, identity: str) -> str | None:
        return self._known.get(identity)

    def keep(self, identity: str, model: str, image: str, asked: str, reply: str) -> None:
        """Written before it is used."""
        row = {"sha256": identity, "model": model, "image": image, "asked": asked, "reply": reply}
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        self._known[identity] = reply
