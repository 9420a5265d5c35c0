"""Which bundle this source ships and trusts.

The hash is that of the shipped `manifest.json`, which names the hash of every other file. `yochi-export ship`
writes it here, in the same commit as the bundle.
"""

from importlib import resources
from pathlib import Path

SHIPPED_MANIFEST_SHA256 = "4ffaf6f37dfc25ab6a4d90c72c48837a71af72a4c8eceb14c93037634e4d820c"


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with this distribution."""
    return Path(str(resources.files(__package__))) / "bundles" / "nano"
