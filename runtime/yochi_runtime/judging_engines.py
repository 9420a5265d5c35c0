"""The engines that a bundle asks for, in processes of their own, behind what the judge asks of them."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from .bundle import EXPLAIN, LORA, MMPROJ, TEXT, VISION, Bundle, Kind
from .engine_clients import LanguageClient, MultimodalClient, VisionClient
from .layout import context_for, read_layout
from .opening import base_of, check_unchanged
from .prompt import Prompt
from .scene import Scene


class Engines(Protocol):
    """`scene` looks and reads. `starts`: how often each engine was started, by its kind. `computed_ms`: how
    long they have computed so far, as their processes say."""

    @property
    def scene(self) -> Scene: ...
    @property
    def version(self) -> str: ...
    @property
    def starts(self) -> Mapping[str, int]: ...
    @property
    def computed_ms(self) -> float: ...
    def ping(self) -> None: ...
    def be_patient(self, seconds: float | None) -> None:
        """So long may a pass over tokens take from now on; None for the usual time."""

    def close(self) -> None: ...


class Pair:
    """A picture's engine and a language model's."""

    def __init__(self, vision: VisionClient, language: LanguageClient, prompt: Prompt) -> None:
        self._vision, self._language = vision, language
        self.scene = Scene.apart(vision, language, prompt)

    @classmethod
    def open(cls, bundle: Bundle, prompt: Prompt, threads: int) -> "Pair":
        """BundleError or EngineError where it cannot be opened."""
        whole, base = partial(check_unchanged, bundle), base_of(bundle)
        with ExitStack() as opened:
            explain = bundle.path / EXPLAIN if EXPLAIN in bundle.manifest.files else None
            language = LanguageClient(base, bundle.path / LORA, explain, threads=threads, whole=whole)
            opened.callback(language.close)
            cues = len(bundle.pack.cue)
            vision = VisionClient(bundle.path / VISION, language.width, cues, threads=threads, whole=whole)
            opened.callback(vision.close)
            made = cls(vision, language, prompt)
            opened.pop_all()  # from here on it closes them
        return made

    @property
    def version(self) -> str:
        return f"{self._vision.version} / {self._language.version}"

    @property
    def starts(self) -> Mapping[str, int]:
        return {"vision": self._vision.starts, "language": self._language.starts}

    @property
    def computed_ms(self) -> float:
        return self._vision.computed_ms + self._language.computed_ms

    def ping(self) -> None:
        """EngineError unless the picture's engine answers: the language model's is asked every time."""
        self._vision.ping()

    def be_patient(self, seconds: float | None) -> None:
        self._language.patience = seconds

    def close(self) -> None:
        self._vision.close()
        self._language.close()


class Whole:
    """One engine that sees and reads: llama.cpp with a stock model's two files."""

    def __init__(self, engine: MultimodalClient, scene: Scene) -> None:
        self._engine, self.scene = engine, scene

    @classmethod
    def open(cls, bundle: Bundle, prompt: Prompt, threads: int) -> "Whole":
        """BundleError or EngineError where it cannot be opened."""
        layout = read_layout(bundle.path)
        engine = MultimodalClient(
            bundle.path / TEXT,
            bundle.path / MMPROJ,
            threads=threads,
            context=context_for(prompt),
            most=prompt.picture_tokens,
            tokens=layout.free_tokens,
            whole=partial(check_unchanged, bundle),
        )
        with ExitStack() as opened:
            opened.callback(engine.close)
            made = cls(engine, Scene.together(engine, layout, prompt))
            opened.pop_all()  # from here on it closes it
        return made

    @property
    def version(self) -> str:
        return self._engine.version

    @property
    def starts(self) -> Mapping[str, int]:
        return {"multimodal": self._engine.starts}

    @property
    def computed_ms(self) -> float:
        return self._engine.computed_ms

    def ping(self) -> None:
        """EngineError unless it answers."""
        self._engine.ping()

    def be_patient(self, seconds: float | None) -> None:
        self._engine.patience = seconds

    def close(self) -> None:
        self._engine.close()


def open_engines(bundle: Bundle, prompt: Prompt, threads: int) -> Engines:
    """Those of the bundle's kind."""
    if bundle.manifest.kind is Kind.STOCK:
        return Whole.open(bundle, prompt, threads)
    return Pair.open(bundle, prompt, threads)
