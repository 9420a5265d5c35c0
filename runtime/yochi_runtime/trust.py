"""Which bundle this source ships and trusts.

The hash is that of the shipped `manifest.json`, which names the hash of every other file. `yochi-export ship`
writes it here, in the same commit as the bundle.
"""

from importlib import resources
from pathlib import Path

SHIPPED_MANIFEST_SHA256 = "2cb323ee006fff95d1007dc7f8a9f727a54dbd9b48521df6935e0e782ce6d75e"


def shipped_bundle() -> Path:
    """Folder of the bundle that comes with this distribution."""
    return Path(str(resources.files(__package__))) / "bundles" / "nano"
