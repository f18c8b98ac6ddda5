"""The noise levels of a pipeline, from the configuration of its scheduler."""

from __future__ import annotations

from typing import Any

import diffusers

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder, first_line, read_json
from privaudit.loading.heads import FLOW, PREDICTION_TYPES
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule, Schedule


def load_schedule(folder: PipelineFolder) -> tuple[Schedule, str]:
    """Read noise levels and prediction type from the scheduler's configuration.

    Returns:
        The schedule, and one of `PREDICTION_TYPES` or `FLOW`.

    Raises:
        TargetError: The class is not a scheduler of diffusers, or has no alphas_cumprod.
    """
    config = read_json(folder.path / "scheduler" / "scheduler_config.json")
    name = str(config.get("_class_name"))
    kind: Any = getattr(diffusers, name, None)
    is_scheduler = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    if not is_scheduler:
        raise TargetError(f"expected a scheduler of diffusers in {folder}, got {name}")
    try:
        scheduler = kind.from_config(config)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise TargetError(f"cannot load the scheduler ({name}) of {folder}: {first_line(error)}") from error
    if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
        return FlowSchedule(int(scheduler.config["num_train_timesteps"])), FLOW
    powers = getattr(scheduler, "alphas_cumprod", None)
    if powers is None or len(powers) == 0:
        raise TargetError(
            f"expected a scheduler with alphas_cumprod in {folder}, or FlowMatchEulerDiscreteScheduler, "
            f"got {name}; other flow-matching schedulers are not supported yet"
        )
    prediction_type = str(config.get("prediction_type", "epsilon"))
    if prediction_type not in PREDICTION_TYPES:
        raise TargetError(
            f"expected prediction_type of {folder} to be one of {', '.join(PREDICTION_TYPES)}, got {prediction_type}"
        )
    return DiffusionSchedule(tuple(float(power) for power in powers)), prediction_type
