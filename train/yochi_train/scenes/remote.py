"""A renderer on a node of a Ray cluster, asked like one on this machine.

The node renders into a folder of its own and gives back the files' bytes; whoever asked writes them into the
request's folder. From there on, a scene is finished as any other, so the output is the same.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

from ..cluster import Cluster, LostWorker, RemoteWorker
from .environment import renderer_command
from .renderer import Renderer, RenderError
from .spec import VERSION

CLOSE_SECONDS = 20.0  # for a node to end its renderer and clear its folder; then it is ended
GRACE_SECONDS = 60.0  # over what a scene may take: the node itself ends a renderer that hangs
Files = dict[str, bytes]


class NodeRenderer:
    """Lives on the node. `command`: of its renderer; None for that of the node's own Blender environment."""

    def __init__(self, command: Sequence[str] | None, assets: Mapping[str, bytes]) -> None:
        self._command = command
        self._home = Path(tempfile.mkdtemp(prefix="yochi-scenes-"))
        self._renderer: Renderer | None = None
        for name, data in assets.items():
            file = self._home / "assets" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def version(self) -> int:
        return VERSION

    def home(self) -> str:
        return str(self._home)

    def render(self, request: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], Files]:
        """The answer and every file of the scene. RenderError, after which the next scene gets a new one."""
        folder = self._home / "scene"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        here = {
            **request,
            "folder": str(folder),
            "assets": str(self._home / "assets") if request["assets"] else "",
        }
        if self._renderer is None:
            command = self._command or renderer_command()
            self._renderer = Renderer(command, self._home / "renderer.log")
        try:
            answer = self._renderer.ask(here, seconds)
        except RenderError:
            self._renderer.close()
            self._renderer = None
            raise
        return answer, {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
        shutil.rmtree(self._home, ignore_errors=True)


class RemoteRenderer:
    """The driver's end, with the methods of Renderer. `assets`: what Cluster.share gave for their bytes."""

    def __init__(self, cluster: Cluster, command: Sequence[str] | None, assets: Any) -> None:
        self._worker: RemoteWorker = cluster.start(NodeRenderer, command, assets)
        self._welcomed = False

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """As Renderer.ask; also a RenderError where the worker is lost: another makes the scene again."""
        try:
            self._welcome()
            answer, files = self._worker.call(
                "render", {**request, "folder": "", "threads": 1}, seconds, seconds=seconds + GRACE_SECONDS
            )
        except LostWorker as e:
            raise RenderError(str(e)) from e
        for name, data in files.items():
            (Path(request["folder"]) / name).write_bytes(data)
        found: dict[str, Any] = answer
        return found

    def _welcome(self) -> None:
        """Wait for a free CPU, as long as that takes, so that waiting does not count as rendering."""
        if not self._welcomed and (version := self._worker.call("version")) != VERSION:
            raise UsageError(
                f"expected scenes of version {VERSION} on every node of the cluster, got {version}; "
                "install the same yochi there"
            )
        self._welcomed = True

    def kill(self) -> None:
        """End it; from any thread: one that waits in `ask` sees it go."""
        self._worker.kill()

    def close(self) -> None:
        """End it and what it left on the node; only from the thread that asks."""
        try:
            self._worker.call("close", seconds=CLOSE_SECONDS)
        except LostWorker:
            pass  # it is gone already
        finally:
            self._worker.kill()
