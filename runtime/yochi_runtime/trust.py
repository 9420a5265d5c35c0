"""Which bundle this source ships and trusts.

The hash is that of the shipped `manifest.json`, which names the hash of every other file. `yochi-export ship`
writes it here, in the same commit as the bundle.
"""

from importlib import resources
from pathlib import Path

SHIPPED_MANIFEST_SHA256 = "dc444663ac505af88100743f8374e6fb83ca9c3754348b363a491903449eb8a7"


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with this distribution."""
    return Path(str(resources.files(__package__))) / "bundles" / "nano"
