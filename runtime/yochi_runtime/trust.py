"""Which bundle this source ships and trusts.

The hash is that of the shipped `manifest.json`, which names the hash of every other file. `yochi-export ship`
writes it here, in the same commit as the bundle.
"""

from importlib import resources
from pathlib import Path

SHIPPED_MANIFEST_SHA256 = "5e040e2388d0b4da5d6bbee22b30c8f049713ebd920a3550a91fee817c4471ed"


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with this distribution."""
    return Path(str(resources.files(__package__))) / "bundles" / "nano"
