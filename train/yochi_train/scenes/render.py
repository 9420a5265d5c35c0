"""`yochi-train scenes render`: minimal pairs, in parallel, killed and gone on with at any moment.

`OUT/scenes/NAME` is a finished scene or is not there: a scene is made under `OUT/.partial` and moved. A
renderer that dies, hangs or writes half a file is ended and the scene is made again with a new one.
"""

import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

from ..cluster import Cluster
from ..progress import Progress
from .assets import Assets
from .finish import finish
from .gallery import write_gallery
from .remote import RemoteRenderer
from .renderer import Renderer, RenderError
from .scene import render_request
from .seeds import Pair, write_seeds
from .spec import VERSION, SceneSpec

ATTEMPTS = 3  # at one scene
MOST_FAILED = 5  # scenes given up before all is given up: then it is not the scene
SCENE_SECONDS = 600.0  # a scene of 320 pixels takes a few; Blender's start is in it too
AnyRenderer = Renderer | RemoteRenderer
SIZES = (32, 2048)  # pixels of the width


@dataclass(frozen=True)
class RenderSettings:
    """`size`: pixels of the width; `samples`: rays a pixel before denoising; `seconds`: most for a scene.

    `assets`: 3D files for some of the props; without them all is made of primitives.
    """

    size: int = 320
    samples: int = 16
    workers: int = 1
    seconds: float = SCENE_SECONDS
    assets: Assets | None = None

    def __post_init__(self) -> None:
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise UsageError(f"expected --size from {SIZES[0]} to {SIZES[1]} pixels, got {self.size}")
        if self.samples < 1 or self.workers < 1:
            raise UsageError(
                f"expected --samples and --workers of 1 or more, got {self.samples}, {self.workers}"
            )

    @property
    def threads(self) -> int:
        """For each renderer, so that all of them together fill the machine once."""
        return max(1, (os.cpu_count() or 1) // self.workers)


def render_pairs(
    out: Path,
    pairs: Sequence[Pair],
    settings: RenderSettings,
    command: Sequence[str] | None,
    cluster: Cluster | None = None,
) -> str:
    """Render both scenes of every pair that `out` does not have, then its index, contact sheet and gallery.

    `command` is that of a renderer; None, with a `cluster` alone, for each node's own.
    One line with counts. UsageError where `out` holds scenes made otherwise; RenderError where scenes failed
    ATTEMPTS times (all others are there; running again tries those once more).
    """
    if not pairs:
        raise UsageError(
            "expected at least one pair of scenes, got none; give --count or another --seed-file"
        )
    _pin(out, settings)
    write_seeds(pairs, out / "seeds.txt")
    scenes = [scene for pair in pairs for scene in pair.scenes()]
    missing = deque((name, spec) for name, spec in scenes if not _finished(out, name))
    shutil.rmtree(out / ".partial", ignore_errors=True)
    progress = Progress("scenes", len(scenes), len(scenes) - len(missing))
    crew = _Crew(out, settings, _starter(settings, command, cluster), missing, progress)
    begun, asked = time.monotonic(), len(missing)
    crew.work()
    took = time.monotonic() - begun
    write_gallery(out, [name for name, _ in scenes if _finished(out, name)])
    if crew.failed:
        raise RenderError(
            f"expected {len(scenes)} scenes, {len(crew.failed)} failed; first {crew.failed[0]}; run again"
        )
    shutil.rmtree(out / ".partial", ignore_errors=True)
    pace = f", {took / asked:.1f} s a scene" if asked else ""
    return f"{len(scenes)} scenes in {len(pairs)} minimal pairs{pace}: {out}"


def _starter(
    settings: RenderSettings, command: Sequence[str] | None, cluster: Cluster | None
) -> Callable[[Path], AnyRenderer]:
    """What makes a renderer, given the file of its log."""
    if cluster is None:
        if command is None:
            raise ValueError("a renderer on this machine needs its command")
        return partial(Renderer, command)
    assets = cluster.share(settings.assets.contents() if settings.assets else {})
    return lambda _: RemoteRenderer(cluster, command, assets)  # its log stays on the node


def _pin(out: Path, settings: RenderSettings) -> None:
    made: dict[str, Any] = {"version": VERSION, "size": settings.size, "samples": settings.samples}
    if settings.assets:
        made["assets"] = dict(settings.assets.hashes)
    file = out / "run.json"
    held = json.loads(file.read_text("utf-8")) if file.is_file() else made
    if held != made:
        other = [name for name in sorted({*held, *made}) if held.get(name) != made.get(name)]
        raise UsageError(
            f"expected {out} to hold scenes of the same {', '.join(other)}, got others; give a new folder"
        )
    (out / "scenes").mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(made) + "\n", encoding="utf-8")


def _finished(out: Path, name: str) -> bool:
    return (out / "scenes" / name / "truth.json").is_file()


@dataclass
class _Crew:
    """The workers of one run: a thread each, which feeds a renderer of its own."""

    out: Path
    settings: RenderSettings
    start: Callable[[Path], AnyRenderer]
    missing: deque[tuple[str, SceneSpec]]
    progress: Progress
    failed: list[str] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)
    _renderers: dict[int, AnyRenderer] = field(default_factory=dict)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        count = min(self.settings.workers, len(self.missing))
        threads = [threading.Thread(target=self._guarded, args=(number,)) for number in range(count)]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self._faults:
                for thread in threads:
                    thread.join(0.1)  # short, or an interrupt waits
        finally:
            self._stop()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._faults:
            raise self._faults[0]

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for renderer in self._renderers.values():
                renderer.kill()  # its thread sees it die, and closes it

    def _guarded(self, number: int) -> None:
        try:
            while (scene := self._next()) is not None:
                self._make(number, *scene)
        except BaseException as e:  # noqa: BLE001  handed to the main thread, which raises it
            self._faults.append(e)
            self._stopped = True
        finally:
            self._end(number)

    def _next(self) -> tuple[str, SceneSpec] | None:
        with self._lock:
            if self._stopped or not self.missing or len(self.failed) >= MOST_FAILED:
                return None
            return self.missing.popleft()

    def _make(self, number: int, name: str, spec: SceneSpec) -> None:
        fault = ""
        for _ in range(ATTEMPTS):
            try:
                self._attempt(number, name, spec)
            except RenderError as e:
                fault = str(e)
                self._end(number)
                if self._stopped:
                    return
                continue
            with self._lock:
                self.progress.step()
            return
        with self._lock:
            self.failed.append(f"{name}: {fault}")

    def _attempt(self, number: int, name: str, spec: SceneSpec) -> None:
        folder = self.out / ".partial" / name
        shutil.rmtree(folder, ignore_errors=True)  # half of an earlier attempt
        folder.mkdir(parents=True)
        request = {
            **render_request(spec, self.settings.size, self.settings.samples, self.settings.assets),
            "name": name,
            "folder": str(folder.resolve()),
            "threads": self.settings.threads,
        }
        answer = self._renderer(number).ask(request, self.settings.seconds)
        finish(folder, name, spec, request, answer)
        target = self.out / "scenes" / name
        shutil.rmtree(target, ignore_errors=True)  # a folder without its truth is no scene
        folder.replace(target)

    def _renderer(self, number: int) -> AnyRenderer:
        with self._lock:
            if self._stopped:
                raise RenderError("stopped")
            if number not in self._renderers:
                self._renderers[number] = self.start(self.out / ".partial" / f"renderer-{number}.log")
            return self._renderers[number]

    def _end(self, number: int) -> None:
        with self._lock:
            renderer = self._renderers.pop(number, None)
        if renderer is not None:
            renderer.close()
