"""Finds the checkpoints in the output folder of a training script."""

from privaudit.loading.checkpoints.find import BASE, find_checkpoints
from privaudit.loading.checkpoints.training_output import Checkpoint, TrainingOutput

__all__ = ["BASE", "Checkpoint", "TrainingOutput", "find_checkpoints"]
