"""What must hold before a bundle is loaded: it is whole, its prompt is the trained one, and who trusts it."""

from pathlib import Path

from . import trust as shipped
from .bundle import TOKENIZER, Bundle, open_bundle
from .errors import BundleError, Reason, UsageError
from .image import PREPARATION
from .prompt import Prompt, build_prompt
from .tokens import TextTokenizer
from .vision import one_line


def read_bundle(path: Path | None) -> Bundle:
    """The bundle in `path`, or the shipped one, every byte checked."""
    if path is not None:
        return open_bundle(path)
    try:
        return open_bundle(shipped.shipped_bundle())
    except UsageError as e:
        raise BundleError(
            Reason.BUNDLE_MISSING,
            f"expected the shipped bundle at {shipped.shipped_bundle()}, found none; "
            "install Yochi again or give --bundle",
        ) from e


def is_trusted(bundle: Bundle, trust: frozenset[str] = frozenset()) -> bool:
    """Whether this source or the caller names the bundle's manifest by its sha256."""
    return bundle.sha256 in {shipped.SHIPPED_MANIFEST_SHA256, *trust} - {""}


def prompt_of(bundle: Bundle) -> Prompt:
    """The prompt, rebuilt from pack and tokenizer.

    BundleError where it or the image preparation is not the one that the bundle was trained with.
    """
    manifest = bundle.manifest
    if manifest.preparation != PREPARATION:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected a bundle for image preparation {PREPARATION}, got {manifest.preparation}; "
            "update one of them",
        )
    try:
        prompt = build_prompt(bundle.pack, TextTokenizer.load(bundle.path / TOKENIZER))
    except Exception as e:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected a tokenizer for this pack, got: {one_line(e)}; get the bundle again",
        ) from e
    if prompt.sha256 != manifest.prompt.sha256:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected the prompt {manifest.prompt.sha256[:12]}..., got {prompt.sha256[:12]}... from pack and tokenizer; "
            "use the Yochi that this bundle was trained with",
        )
    return prompt
