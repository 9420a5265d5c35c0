"""What must hold before a bundle is loaded: it is whole, its prompt is the trained one, and it is let in."""

import os
from pathlib import Path

from .admission import Standing, admit, standing
from .base import find_base
from .bundle import TEXT, Bundle, Kind, open_bundle
from .errors import BundleError, Reason, UsageError, one_line
from .explanation import FORM
from .image import PREPARATION
from .installed import default_bundle
from .layout import STOCK_PREPARATION, read_layout
from .mode import Mode
from .prompt import Prompt, build_prompt, first_tokens
from .taxonomy import Pack
from .tokens import TextTokenizer


def read_bundle(path: Path | None) -> Bundle:
    """The bundle in `path`, or this box's, every byte checked, whoever answers for it."""
    return open_bundle(folder_of(path))


def admitted(path: Path | None, trust: frozenset[str] = frozenset()) -> tuple[Bundle, Standing]:
    """The bundle in `path`, or this box's, if this box lets it in; see `admission.admit`."""
    return admit(folder_of(path), trust)


def folder_of(path: Path | None) -> Path:
    """`path`, or the folder of this box's bundle (`default_bundle`); BundleError where that is gone."""
    folder = path or default_bundle()
    if path is None and not os.path.exists(folder):  # noqa: PTH110 -- no right to look is no error here
        raise BundleError(
            Reason.BUNDLE_MISSING,
            f"expected this box's bundle at {folder}, found none; install it or Yochi again, "
            "or give --bundle",
        )
    return folder


def check_unchanged(bundle: Bundle) -> None:
    """BundleError where the files of an open bundle, or its base model, are no longer the checked ones."""
    try:
        found = open_bundle(bundle.path).sha256
    except UsageError as e:
        raise BundleError(Reason.BUNDLE_MISSING, str(e)) from e
    if found != bundle.sha256:
        raise BundleError(
            Reason.BUNDLE_CHANGED,
            f"expected the manifest {bundle.sha256[:12]}... that was opened, got another; restart Yochi",
        )
    base_of(bundle)


def base_of(bundle: Bundle) -> Path:
    """The language model's file: a stock bundle's own, which opening checked, or the base, checked here.

    BundleError: BASE_MISSING or BASE_CHANGED.
    """
    stock = bundle.manifest.kind is Kind.STOCK
    return bundle.path / TEXT if stock else find_base(bundle.manifest.base)


def check_enforceable(mode: Mode, path: Path | None) -> None:
    """UsageError where `mode` drives outputs and the bundle is not proved: what it says may move nothing.

    One that cannot be read passes: then every judgement is `cannot_judge`, as in any mode, and holds.
    """
    if mode is not Mode.ENFORCE:
        return
    try:
        bundle, found = admitted(path)
    except BundleError:
        return
    if not (found.trusted and bundle.manifest.proof.passed):
        lacks = "which failed its proof" if found.trusted else found.said
        raise UsageError(
            f"expected a proved bundle for --mode enforce, got {bundle.path}, {lacks}; "
            "give another or --mode advise"
        )


def prompt_of(bundle: Bundle) -> Prompt:
    """The prompt, rebuilt from pack, tokenizer, and a stock bundle's layout.

    BundleError where it or the image preparation is not the one that the bundle was trained with.
    """
    manifest = bundle.manifest
    known = STOCK_PREPARATION if manifest.kind is Kind.STOCK else PREPARATION
    if manifest.preparation != known:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected a bundle for image preparation {known}, got {manifest.preparation}; "
            "update one of them",
        )
    try:
        prompt = prompt_in(bundle.path, manifest.kind, bundle.pack)
    except BundleError:
        raise
    except Exception as e:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected a tokenizer for this pack, got: {one_line(e)}; get the bundle again",
        ) from e
    if prompt.sha256 != manifest.prompt.sha256:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected the prompt {manifest.prompt.sha256[:12]}..., "
            f"got {prompt.sha256[:12]}... from pack and tokenizer; use the Yochi it was trained with",
        )
    return prompt


def prompt_in(folder: Path, kind: Kind, pack: Pack) -> Prompt:
    """The prompt of `pack`, with the tokenizer, and the layout of a stock bundle, in `folder`."""
    words = TextTokenizer.load(folder)
    if kind is Kind.NANO:
        return build_prompt(pack, words)
    return read_layout(folder).around(build_prompt(pack, words, first_tokens(words)))


_ENGINES = {
    Kind.NANO: "onnxruntime for the picture, llama.cpp for the language",
    Kind.STOCK: "llama.cpp for both, with its own eyes",
}


def describe(bundle: Bundle) -> str:
    """Name, identity, trust, languages and slots, line by line."""
    manifest, untrained = bundle.manifest, bundle.not_trained()
    base, found = manifest.base, standing(bundle.path)
    size = sum(entry.bytes for entry in manifest.files.values())
    trained = [slot for slot in manifest.slots if slot not in untrained]
    lines = {
        "bundle": f"{manifest.name} {manifest.version} ({bundle.path})",
        "sha256": bundle.sha256,
        "trusted": f"{'yes' if found.trusted else 'no, every judgement will be cannot_judge'}: {found.said}",
        "proof": "passed" if manifest.proof.passed else "failed: every judgement will be cannot_judge",
        "languages": ", ".join(manifest.languages) or "none",
        "explains": _explains(manifest.explanation),
        "pack": f"{manifest.pack_id} {bundle.pack.version}",
        "prompt": f"{manifest.prompt.version} {manifest.prompt.sha256[:12]}",
        "engines": _ENGINES[manifest.kind],
        "base": f"{base.file}, the bundle's own"
        if base.package is None
        else f"{base.file} from {base.package}{', runs as F16' if base.source else ''}",
        "size": f"{size / 1e6:.1f} MB in {len(manifest.files)} files",
        f"trained ({len(trained)})": ", ".join(trained),
        f"not trained ({len(untrained)})": ", ".join(s for s in manifest.slots if s in untrained) or "none",
    }
    return "\n".join(f"{name + ':':18} {value}" for name, value in lines.items())


def _explains(form: str | None) -> str:
    if form is None:
        return "no, it did not learn to"
    return "yes, after the verdict" if form == FORM else f"no, this Yochi does not know its form {form}"


def verify(path: Path | None) -> str:
    """One line when bundle, signature, prompt and base model are what they should be; BundleError otherwise,
    and where this box does not let the bundle in.
    """
    bundle, found = admitted(path)
    prompt_of(bundle)
    base_of(bundle)
    proved = "proof passed" if bundle.manifest.proof.passed else "proof failed"
    verdicts = "" if found.trusted and bundle.manifest.proof.passed else ": every judgement will be unproved"
    return (
        f"{bundle.path}: {len(bundle.manifest.files)} files and the base model are whole; "
        f"{found.said}; {proved}{verdicts}"
    )
