"""Files below a root, on disk or in an archive, under one interface."""

from privaudit.data.trees.disk import disk_tree
from privaudit.data.trees.tar_tree import tar_tree
from privaudit.data.trees.tree import Tree, TreeFile
from privaudit.data.trees.zip_tree import zip_tree

__all__ = ["Tree", "TreeFile", "disk_tree", "tar_tree", "zip_tree"]
