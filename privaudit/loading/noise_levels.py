"""The noise levels of a pipeline, from the configuration of its scheduler."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

import diffusers

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder, first_line
from privaudit.loading.heads import EDM, EDM_SIGMA_DATA, EDM_V, FLOW, FLOW_TYPES, PREDICTION_TYPES
from privaudit.model.schedule import DiffusionSchedule, EDMSchedule, FlowSchedule, Schedule

FLOW_SCHEDULERS = (
    "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
    "FlowMatchLCMScheduler",
    "SCMScheduler",  # the network is a flow model; the scheduler converts its output (see families/sana.py)
)
EDM_SCHEDULERS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
EDM_HEADS = {"epsilon": EDM, "v_prediction": EDM_V, EDM: EDM, EDM_V: EDM_V}


def load_schedule(folder: PipelineFolder) -> tuple[Schedule, str]:
    """Read noise levels and prediction type from the scheduler's configuration.

    Returns:
        The schedule, and a prediction type of `privaudit.loading.heads`.

    Raises:
        TargetError: The class is not a scheduler of diffusers, or does not define noise levels and output.
    """
    config = folder.config("scheduler", "scheduler_config.json")
    name = str(config.get("_class_name"))
    kind: Any = getattr(diffusers, name, None)
    is_scheduler = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    lacking = [package for package in getattr(kind, "_backends", ()) if find_spec(package) is None]
    if lacking and name.endswith("Scheduler"):  # in its place, diffusers has an object that names the packages
        raise TargetError(
            f"cannot load the scheduler ({name}) of {folder}, which needs a package that is not installed: "
            f"{', '.join(lacking)}; install it, or save the pipeline with another scheduler of the same training"
        )
    if not is_scheduler:
        raise TargetError(f"expected a scheduler of diffusers in {folder}, got {name}")
    # Some schedulers have no prediction type, because it is always the same; the network may still have another.
    known = {"prediction_type", *inspect.signature(kind.__init__).parameters}
    unknown = set(folder.overridden("scheduler")) - known
    if unknown:
        raise TargetError(f"expected overrides of {name} to be among its parameters, got {', '.join(sorted(unknown))}")
    stated = config.get("prediction_type")
    if name in FLOW_SCHEDULERS or stated in (*FLOW_TYPES, "flow_prediction") or config.get("use_flow_sigmas"):
        return _flow(folder, config, name)
    # A scheduler's own constructor checks the prediction type, and some know none of those that only an override names.
    try:
        scheduler = kind.from_config(config)
    except (ValueError, TypeError, RuntimeError, ImportError, IndexError) as error:
        raise TargetError(f"cannot load the scheduler ({name}) of {folder}: {first_line(error)}") from error
    prediction_type = str(config.get("prediction_type", "epsilon"))
    if name in EDM_SCHEDULERS:
        return _edm(folder, scheduler, prediction_type)
    powers = getattr(scheduler, "alphas_cumprod", None)
    if powers is None or len(powers) == 0:
        raise TargetError(
            f"expected the scheduler of a diffusion, flow-matching or EDM model in {folder}, got {name}, which does "
            "not define the noise levels of the training; save the pipeline with the scheduler of its training"
        )
    if prediction_type not in PREDICTION_TYPES:
        raise TargetError(
            f"expected prediction_type of {folder} to be one of {', '.join(PREDICTION_TYPES)}, got {prediction_type}"
        )
    return DiffusionSchedule(tuple(float(power) for power in powers)), prediction_type


def _flow(folder: PipelineFolder, config: dict[str, Any], name: str) -> tuple[Schedule, str]:
    """Read a flow model; solvers such as UniPC and DPM-Solver also sample diffusion models, and say which it is."""
    steps = config.get("num_train_timesteps", 1000)
    if not isinstance(steps, int) or steps < 1:
        raise TargetError(f"expected num_train_timesteps of at least 1 in the scheduler of {folder}, got {steps}")
    schedule = FlowSchedule(steps)
    stated = config.get("prediction_type", "flow_prediction" if name in FLOW_SCHEDULERS else "epsilon")
    heads = {"flow_prediction": FLOW, "epsilon": "epsilon", "sample": "sample", **{kind: kind for kind in FLOW_TYPES}}
    if stated == "trigflow":
        stated = FLOW  # the first is what SCMScheduler receives, after the pipeline's conversion
    if stated not in heads:
        raise TargetError(
            f"expected prediction_type of the flow model in {folder} to be one of {', '.join(heads)}, got {stated}"
        )
    return schedule, heads[stated]


def _edm(folder: PipelineFolder, scheduler: Any, prediction_type: str) -> tuple[Schedule, str]:  # noqa: ANN401 - of diffusers
    if prediction_type not in EDM_HEADS or scheduler.config.sigma_data != EDM_SIGMA_DATA:
        raise TargetError(
            f"expected prediction_type {' or '.join(EDM_HEADS)} and sigma_data {EDM_SIGMA_DATA} for the EDM scheduler "
            f"of {folder}, got {prediction_type} and {scheduler.config.sigma_data}"
        )
    # The last of the scheduler's values is the end of sampling, 0; the others decrease.
    ascending = scheduler.sigmas[:-1].flip(0).double().tolist()
    return EDMSchedule(tuple(ascending)), EDM_HEADS[prediction_type]
