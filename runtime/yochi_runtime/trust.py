"""Which bundle this source ships and trusts.

The hash is that of the shipped `manifest.json`, which names the hash of every other file. `yochi-export ship`
writes it here, in the same commit as the bundle.
"""

from importlib import resources
from pathlib import Path

SHIPPED_MANIFEST_SHA256 = "f7e92376caadad497750df2498573edeb415b5ddd078d66e3b08c90e7d4dbadf"


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with this distribution."""
    return Path(str(resources.files(__package__))) / "bundles" / "nano"
