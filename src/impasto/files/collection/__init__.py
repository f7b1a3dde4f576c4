"""Collections of photos to train on, from a handful to millions: folders, tar shards, Parquet; here or far away.

Imports go one way: collection → folders, shards, tables → blocks, places, index.
"""

from impasto.files.collection.collection import Collection
from impasto.files.collection.opening import open_collection

__all__ = ["Collection", "open_collection"]
