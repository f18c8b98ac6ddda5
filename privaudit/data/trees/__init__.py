"""Files below a root, on disk or in an archive, under one interface."""

from privaudit.data.trees.disk import disk_tree
from privaudit.data.trees.tree import Tree, TreeFile

__all__ = ["Tree", "TreeFile", "disk_tree"]
