"""The worker's page as the server gives it: whole in both languages, small, never silently OK."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.serve.access import COOKIE, Access
from yochi_runtime.serve.page_routes import FILES, read_notes
from yochi_runtime.serve.page_words import page_words
from yochi_runtime.serve.view_words import View, view_words
from yochi_runtime.taxonomy import load_pack
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import Running, opens, running
from .test_access import TOKEN

PARTS = {"audit": ("audit",), "engineer": ("change", "engineer"), "setup": ("setup",)}  # scripts of a view
MAX_WEIGHT = 300 * 1024  # bytes of a first load


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of the settings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.settings = ""
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") == "settings"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.settings, self._inside = data, False


def page(server: Running, language: str = "en") -> str:
    return server.http.get("/", headers={"Accept-Language": language}).text


def script(server: Running) -> str:
    return server.http.get("/page/page.js").text


@pytest.mark.parametrize(
    ("language", "lang", "word"), [("en-US", "en", "CANNOT JUDGE"), ("ja", "ja", "判定不能")]
)
def test_before_anything_is_known_it_says_cannot_judge(
    server: Running, language: str, lang: str, word: str
) -> None:
    text = page(server, language)
    assert f'<html lang="{lang}">' in text
    assert '<body data-verdict="cannot_judge">' in text
    assert f'<h1 id="word">{word}</h1>' in text


def test_it_needs_nothing_from_elsewhere_and_is_small(server: Running) -> None:
    texts = [page(server), *(server.http.get(f"/page/{name}").text for name in FILES)]
    assert sum(len(text.encode()) for text in texts) < MAX_WEIGHT
    for text in texts:
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text)
    for tag, attributes in Tags(texts[0]).tags:
        assert "style" not in attributes, tag  # the policy would refuse it
        assert not [name for name in attributes if name.startswith("on")], tag
    assert server.http.get("/page/page_words.py").status_code == 404


def test_every_word_that_it_uses_exists_in_both_languages(server: Running) -> None:
    tags, code = Tags(page(server)).tags, script(server)
    used = {word for _, attributes in tags if (word := attributes.get("data-word"))}
    used |= set(re.findall(r"words\(\)\.(\w+)", code))
    assert {"verdicts", "judge", "silent"} < used
    for lang in ("en", "ja"):
        assert used <= set(page_words(lang))
    english, japanese = page_words("en"), page_words("ja")
    assert [key for key in english if english[key] == japanese[key]] == []


@pytest.mark.parametrize("view", ["audit", "engineer", "setup"])
def test_a_view_has_its_words_and_elements(server: Running, view: View) -> None:
    html = server.http.get(f"/{view}").text
    code = "".join(server.http.get(f"/page/{name}.js").text for name in ("views", *PARTS[view]))
    tags = Tags(html).tags
    used = {word for _, attributes in tags if (word := attributes.get("data-word"))}
    used |= set(re.findall(r"words\(\)\.(\w+)", code))
    english, japanese = view_words(view, "en"), view_words(view, "ja")
    assert used <= set(english)
    assert [key for key in english if english[key] == japanese[key]] == []
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert set(re.findall(r'\$\("([\w-]+)"\)', code)) <= ids
    assert "innerHTML" not in code
    weight = sum(len(text.encode()) for text in (html, code, server.http.get("/page/views.css").text))
    assert weight + len(server.http.get("/page/page.css").content) < MAX_WEIGHT


def test_its_settings_name_every_reason_verdict_and_mark(server: Running) -> None:
    settings = json.loads(Tags(page(server)).settings)
    assert set(settings["reasons"]) == set(Reason)
    for lang in ("en", "ja"):
        assert set(settings["words"][lang]["verdicts"]) == set(Verdict)
    marks = re.search(r"MARKS = \{(.*)\}", script(server))
    assert marks
    assert set(re.findall(r"(\w+):", marks[1])) == set(Verdict)
    assert (settings["live"], settings["notes"], settings["note"]) == (False, [], "")


def test_every_element_that_the_script_asks_for_is_there(server: Running) -> None:
    ids = {attributes["id"] for _, attributes in Tags(page(server)).tags if "id" in attributes}
    assert set(re.findall(r'\$\("([\w-]+)"\)', script(server))) <= ids
    assert "innerHTML" not in script(server)  # notes are data


def test_slots_have_names(server: Running) -> None:
    found = server.http.get("/v1/slots").json()
    assert set(found) == {slot.id for slot in load_pack().slots} - {"verdict"}
    assert found["note_content:fall"] == {"en": "fall from height", "ja": "墜落・転落"}


def test_notes_are_data(module_tiny: TinyBundle, tmp_path: Path) -> None:
    note = "</script><script>alert(1)</script>"
    with running(opens(module_tiny), tmp_path / "audit.db", notes=(note,)) as server:
        text = page(server)
    assert json.loads(Tags(text).settings)["notes"] == [note]
    assert "alert(1)</script>" not in text


def test_beyond_the_box_the_page_asks_for_the_token(module_tiny: TinyBundle, tmp_path: Path) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db", access=Access("127.0.0.1", TOKEN)) as server:
        http = server.http
        asked = http.get("/", headers={"Accept-Language": "ja"})
        assert (asked.status_code, "この装置のトークン" in asked.text) == (401, True)
        assert http.get("/page/page.css").status_code == 200
        assert http.get("/page/page.js").status_code == 401
        for wrong in ({"token": "x"}, {}, {"token": TOKEN + "x"}):
            refused = http.post("/login", data=wrong)
            assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        other = http.post("/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"})
        assert other.status_code == 403
        entered = http.post("/login", data={"token": TOKEN})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"]
        assert TOKEN not in cookie
        assert {"HttpOnly", "SameSite=strict", "Path=/"} < set(cookie.split("; "))
        assert (http.get("/").status_code, http.get("/v1/judgements").status_code) == (200, 200)
        http.cookies.set(COOKIE, "0" * 64, domain="127.0.0.1")
        http.cookies.clear()
        assert http.get("/v1/judgements", headers={"Cookie": f"{COOKIE}={'0' * 64}"}).status_code == 401


NOTES: list[tuple[Any, str]] = [
    (b"", "expected 1 to 24 notes"),
    (b"x\n" * 25, "got 25"),
    (b"ok\n" + b"x" * 2001, "at most 2,000"),
    ("床".encode("shift_jis"), "UTF-8"),
]


@pytest.mark.parametrize(("data", "said"), NOTES, ids=[said for _, said in NOTES])
def test_what_are_no_notes_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=said):
        read_notes(file)


def test_notes_are_lines(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("\ufeff床を掃く。\n\n  Routine round. \n", encoding="utf-8")
    assert read_notes(file) == ("床を掃く。", "Routine round.")
    assert read_notes(None) == ()
    with pytest.raises(UsageError, match="expected notes"):
        read_notes(tmp_path / "none")
