"""Stock GGUF: the converter's cache, what is handed to it, what is refused before it, and what comes out."""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer
from yochi_export.cli import command
from yochi_export.doctor import examine, require
from yochi_export.families import Form
from yochi_export.stock import converter as converter_module
from yochi_export.stock.converter import (
    PIN,
    SCRIPT,
    Pin,
    bring_converter,
    find_converter,
    tree_sha256,
    unpack,
)
from yochi_export.stock.folder import STOCK, Precision, Stock, make_stock, open_stock
from yochi_export.stock.staging import read_checkpoint, stage
from yochi_export.stock.traps import blind, trap
from yochi_runtime.bundle import GLOSSARY, LAYOUT, PACK, TOKENIZER, file_sha256
from yochi_runtime.errors import BundleError, UsageError

from tests.fixtures.tiny_vlms import write_family

CHECKED = "one text, 33 numbers"
# What upstream's takes, prints and writes; the "weights" say what it was given.
UPSTREAM = """\
import json, pathlib, sys
model, _, out, *options = sys.argv[1:]
model = pathlib.Path(model)
config = json.loads((model / "config.json").read_text())
if "broken" in config:
    raise ValueError("Can not map tensor")
kind = "mmproj" if "--mmproj" in options else "text"
given = {"kind": kind, "type": options[1], "config": config, "files": sorted(p.name for p in model.iterdir())}
given["pictures"] = json.loads((model / "preprocessor_config.json").read_text())
given["template"] = (model / "chat_template.jinja").read_text()
print("Writing:  50%", "\\r", "Writing: 100%", file=sys.stderr)
pathlib.Path(out).write_text(json.dumps(given))
"""


@pytest.fixture(scope="module")
def smolvlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_family("smolvlm", tmp_path_factory.mktemp("stock") / "smolvlm")
    (folder / PACK).write_text("pack", encoding="utf-8")
    return folder


@pytest.fixture
def upstream(tmp_path: Path, smolvlm: Path) -> Path:
    """A checkout of llama.cpp, as far as it is looked at, that knows the tokenizer of `smolvlm`."""
    folder = tmp_path / "llama.cpp"
    (folder / "conversion").mkdir(parents=True)
    (folder / SCRIPT).write_text(UPSTREAM, encoding="utf-8")
    ids = AutoTokenizer.from_pretrained(smolvlm).encode(CHECKED)
    known = hashlib.sha256(str(ids).encode()).hexdigest()
    base = f"    chktxt = {CHECKED!r}\n    if chkhsh == {known!r}:\n"
    (folder / "conversion" / "base.py").write_text(base, encoding="utf-8")
    return folder


def given(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_folder_is_made_once_and_says_what_it_is(smolvlm: Path, upstream: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    made = make_stock(smolvlm, out, Precision.F16, upstream, said.append)
    names = {"text-f16.gguf", "mmproj-f16.gguf", "chat_template.jinja", PACK, LAYOUT, TOKENIZER, GLOSSARY}
    assert {p.name for p in out.iterdir()} == {*names, STOCK, "made_of.json"}
    assert (open_stock(out), set(made.files), made.picture_tokens) == (made, names, None)
    text, eyes = given(out, "text-f16.gguf"), given(out, "mmproj-f16.gguf")
    assert (text["kind"], text["type"], eyes["kind"]) == ("text", "f16", "mmproj")
    assert text["template"] == (smolvlm / "chat_template.jinja").read_text(encoding="utf-8")
    (out / "mmproj-f16.gguf").unlink()
    kept = (out / "text-f16.gguf").stat().st_mtime_ns
    assert make_stock(smolvlm, out, Precision.F16, upstream, said.append) == made
    assert (out / "text-f16.gguf").stat().st_mtime_ns == kept
    assert said == ["hashes", "text-f16.gguf", "mmproj-f16.gguf", "hashes", "mmproj-f16.gguf"]
    with pytest.raises(UsageError, match="holds another"):
        make_stock(smolvlm, out, Precision.F32, upstream, said.append)


def test_a_changed_file_is_refused(smolvlm: Path, upstream: Path, tmp_path: Path) -> None:
    made = make_stock(smolvlm, tmp_path / "out", Precision.F16, upstream, lambda _: None)
    stolen = made.model_copy(update={"files": {"../x": made.files[PACK]}})
    (tmp_path / "out" / PACK).write_text("kcap", encoding="utf-8")
    with pytest.raises(BundleError, match=r"expected pack\.toml to have sha256"):
        open_stock(tmp_path / "out")
    (tmp_path / "out" / STOCK).write_text(stolen.model_dump_json(), encoding="utf-8")
    with pytest.raises(BundleError, match=r"got '\.\./x'"):
        open_stock(tmp_path / "out")
    with pytest.raises(UsageError, match="got none; make it again"):
        open_stock(tmp_path)


def test_what_the_converter_is_handed(smolvlm: Path, tmp_path: Path) -> None:
    """The language half by the name that upstream knows, pictures in one tile, links to the rest."""
    found = read_checkpoint(smolvlm)
    stage(found, tmp_path)
    config, pictures = (given(tmp_path, name) for name in ("config.json", "preprocessor_config.json"))
    assert config["text_config"]["architectures"] == ["VLlama3ForCausalLM"]
    assert AutoConfig.from_pretrained(tmp_path).to_dict()["text_config"]["architectures"] == [
        "VLlama3ForCausalLM"
    ]
    assert (pictures["size"], pictures["do_image_splitting"]) == ({"longest_edge": 64}, False)
    assert (tmp_path / "model.safetensors").resolve() == (smolvlm / "model.safetensors").resolve()
    assert (smolvlm / "config.json").read_text() != (tmp_path / "config.json").read_text()


def test_pictures_of_any_size_have_bounds(tmp_path: Path) -> None:
    """448 x 448 pixels at most, 4 tokens at least: of 28 x 28 pixels 256, of 32 x 32 196."""
    for kind, most in (("qwen2_5_vl", 256), ("qwen3_vl", 196)):
        assert read_checkpoint(write_family(kind, tmp_path / kind, deep=True)).picture_tokens == (4, most)


def test_half_of_a_llava_and_the_reason(
    upstream: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    llava = write_family("llava", tmp_path / "llava")
    ids = AutoTokenizer.from_pretrained(llava).encode(CHECKED)
    with (upstream / "conversion" / "base.py").open("a", encoding="utf-8") as file:
        file.write(hashlib.sha256(str(ids).encode()).hexdigest())
    arguments = ["gguf", llava, tmp_path / "out", "--llama-cpp", upstream]
    assert command([str(a) for a in arguments]) == 0
    assert "no mmproj: upstream's converter refuses CLIP's vision half" in capsys.readouterr().out
    made = open_stock(tmp_path / "out")
    assert (made.mmproj, made.blind) == (None, blind({"model_type": "llava"}))
    assert not list((tmp_path / "out").glob("mmproj*"))


def test_the_converters_last_words_are_ours(smolvlm: Path, upstream: Path, tmp_path: Path) -> None:
    model = tmp_path / "broken"
    model.mkdir()
    for file in smolvlm.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    config = given(model, "config.json") | {"broken": True}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UsageError, match=r"make text-f16\.gguf, got: ValueError: Can not map tensor"):
        make_stock(model, tmp_path / "out", Precision.F16, upstream, lambda _: None)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["made_of.json"]


QWEN3 = {"model_type": "qwen3_vl", "text_config": {"num_hidden_layers": 28}, "vision_config": {"depth": 24}}
QWEN2_5 = {"model_type": "qwen2_5_vl", "text_config": {}, "vision_config": {"depth": 32, "window_size": 112}}


def test_released_models_have_no_trap() -> None:
    whole = {"fullatt_block_indexes": [7, 15, 23, 31]}
    for config in (QWEN3, QWEN2_5, QWEN2_5 | {"vision_config": whole}, {"model_type": "llava"}):
        assert trap(config) is None
    assert trap({"model_type": "smolvlm", "text_config": {"model_type": "llama"}}) is None


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (QWEN3 | {"text_config": {"num_hidden_layers": 2}}, "2 language layers"),
        (QWEN2_5 | {"vision_config": {"depth": 2}}, "2 vision layers"),
        (QWEN2_5 | {"vision_config": {"window_size": 56}}, "windows of 56 pixels"),
        (QWEN2_5 | {"vision_config": {"fullatt_block_indexes": [3, 6]}}, "evenly spaced"),
        ({"model_type": "idefics3", "text_config": {"model_type": "mistral"}}, "language half is mistral"),
    ],
)
def test_a_trap_is_the_doctors_reason_and_the_commands(
    config: dict[str, Any], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    assert why in examine(tmp_path).cell(Form.GGUF).why
    assert command(["doctor", str(tmp_path), "--form", "gguf"]) == 2
    shown = capsys.readouterr().out
    assert f"gguf             no   {trap(config)}" in shown
    assert command(["gguf", str(tmp_path), str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert (len(err.splitlines()), why in err) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_upstream_does_not_know(
    smolvlm: Path, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (upstream / "conversion" / "base.py").write_text(f"    chktxt = {CHECKED!r}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="does not know by its hash"):
        make_stock(smolvlm, tmp_path / "out", Precision.F16, upstream, lambda _: None)
    monkeypatch.setattr(converter_module, "find_converter", lambda *_: upstream)
    with pytest.raises(UsageError, match="does not know by its hash"):
        require(smolvlm, Form.GGUF)
    monkeypatch.setattr(converter_module, "find_converter", lambda *_: None)
    require(smolvlm, Form.GGUF)  # not brought for a question


def archive(path: Path, **more: str) -> Path:
    """A source archive of llama-cpp-python: what is wanted and what is not, `more`, the time in its bytes."""
    vendor = "llama_cpp_python-0/vendor/llama.cpp"
    files = {
        f"{vendor}/{SCRIPT}": "run",
        f"{vendor}/conversion/base.py": "base",
        f"{vendor}/gguf-py/gguf/a.py": "a",
    }
    files |= {f"{vendor}/src/llama.cpp": "no", "llama_cpp_python-0/setup.py": "no"}
    with tarfile.open(path, "w:gz") as tar:
        for name, text in (files | {f"{vendor}/{n}": t for n, t in more.items()}).items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Of the archive `sdist.tar.gz`; the tree's hash written out: path, NUL, sha256, in the paths' order."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = {"conversion/base.py": "base", SCRIPT: "run", "gguf-py/gguf/a.py": "a"}
    lines = [f"{n}\0{hashlib.sha256(t.encode()).hexdigest()}\n" for n, t in sorted(kept.items())]
    tree = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Pin(PIN.version, file_sha256(archive(tmp_path / "sdist.tar.gz")), tree)


def test_the_converter_is_taken_out_once_and_checked_each_time(pin: Pin, tmp_path: Path) -> None:
    assert find_converter(pin=pin) is None
    folder = unpack(tmp_path / "sdist.tar.gz", pin)
    assert bring_converter(pin=pin) == find_converter(pin=pin) == folder
    assert folder == tmp_path / "cache" / "yochi" / "llama.cpp" / pin.archive
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == ["a.py", "base.py", SCRIPT]
    (folder / "torch.py").touch()  # would be imported instead of torch
    with pytest.raises(UsageError, match=r"was changed; delete it"):
        find_converter(pin=pin)
    (folder / "torch.py").unlink()
    assert find_converter(pin=pin) == folder
    (folder / SCRIPT).write_text("run!", encoding="utf-8")
    with pytest.raises(UsageError, match="was changed"):
        bring_converter(pin=pin)


def test_another_archive_or_another_release_is_refused(pin: Pin, tmp_path: Path) -> None:
    other = archive(tmp_path / "other.tar.gz", **{"conversion/more.py": "more"})
    with pytest.raises(UsageError, match="got another file"):
        unpack(other, pin)
    with pytest.raises(UsageError, match="and its modules in"):
        unpack(other, Pin(pin.version, file_sha256(other), pin.tree))
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    with pytest.raises(UsageError, match=r"expected llama-cpp-python 0\.1, whose converter is known"):
        find_converter(pin=Pin("0.1", pin.archive, pin.tree))
    with pytest.raises(UsageError, match=f"found no {SCRIPT}; check --llama-cpp"):
        find_converter(tmp_path)


def test_without_network_and_cache_it_is_one_line(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pip that says so: the real one takes seconds to find out."""
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'WARNING: slow' >&2\necho 'ERROR: no route to host' >&2\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(UsageError, match=r"got: ERROR: no route to host; without network, name") as raised:
        bring_converter(pin=pin)
    assert "\n" not in str(raised.value)


def test_a_link_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a", encoding="utf-8")
    before = tree_sha256(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert tree_sha256(tmp_path) != before


def test_a_precision_that_is_none(smolvlm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["gguf", str(smolvlm), str(tmp_path / "out"), "--precision", "q8"]) == 2
    assert "expected f16 or f32 in --precision, got 'q8'" in capsys.readouterr().err


def test_the_manifest_refuses_what_nobody_knows(smolvlm: Path, upstream: Path, tmp_path: Path) -> None:
    made = make_stock(smolvlm, tmp_path / "out", Precision.F16, upstream, lambda _: None)
    with pytest.raises(ValueError, match="extra"):
        Stock.model_validate(made.model_dump() | {"more": 1})
