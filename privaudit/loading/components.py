"""Loads single components of a pipeline folder with their own `from_pretrained`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import torch
import transformers
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from privaudit.errors import TargetError
from privaudit.loading.json_files import read_json
from privaudit.loading.single_file import SingleFile, build_component
from privaudit.loading.weights import check_weights, choose_variant

RECOMPUTED = ("position_ids", "inv_freq", "num_batches_tracked")
"""Ends of the names of buffers that older files hold, and that current classes compute themselves."""


@contextmanager
def quiet() -> Generator[None]:
    """Silence progress bars and warnings of diffusers and transformers, and restore their settings afterwards."""
    libraries: tuple[Any, ...] = (diffusers_logging, transformers_logging)
    before = [(library, library.is_progress_bar_enabled(), library.get_verbosity()) for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, bars, verbosity in before:
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()


def first_line(error: Exception) -> str:
    """Shorten the error of another library to its class and first line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


MOVED = {"PaellaVQModel": "diffusers.pipelines.deprecated.wuerstchen"}
"""Classes that model_index.json names by diffusers, which does not export them."""


def moved_class(library: str, name: str) -> Any:  # noqa: ANN401 - a class of diffusers
    """Find a class of diffusers that only one of its pipelines exports; None for any other."""
    if library != "diffusers" or name not in MOVED:
        return None
    with quiet():
        return getattr(importlib.import_module(MOVED[name]), name, None)


def _pipeline_module(library: str) -> ModuleType | None:
    """Find a module of pipelines within diffusers, also one that it hides because a package is missing."""
    if not (isinstance(library, str) and library.isidentifier()):
        return None
    module = getattr(diffusers.pipelines, library, None)
    name = f"{diffusers.pipelines.__name__}.{library}"
    return module or (importlib.import_module(name) if importlib.util.find_spec(name) else None)


@dataclass(frozen=True)
class PipelineFolder:
    """A folder that holds the components of a pipeline.

    Attributes:
        path: Path of the folder.
        index: Content of ``model_index.json``: library and class by component, and the parameters of the pipeline.
        variant: Variant of the weight files to prefer, such as ``fp16``; a component without it is read from its
            default files.
        overrides: Configuration values to use instead of those in the files, by ``component.key``.
        replaced: Folders that components are read from instead, by component.
        single: Single-file checkpoint whose weights are read instead, for the components that it has.
    """

    path: Path
    index: Mapping[str, Any]
    variant: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Path] = field(default_factory=dict)
    single: SingleFile | None = None

    def __str__(self) -> str:
        """Return the path, for messages."""
        return str(self.path)

    def place(self, component: str) -> Path:
        """Return the folder that a component is read from."""
        return self.replaced.get(component, self.path / component)

    def in_single_file(self, component: str) -> bool:
        """Whether the weights of a component come from the single file."""
        return self.single is not None and component in self.single.parts and component not in self.replaced

    @property
    def pipeline_class(self) -> str:
        """Class of the pipeline; that of a user's own code is saved as [module, class]."""
        name = self.index.get("_class_name")
        return str(name[-1] if isinstance(name, list) and name else name)

    def class_name(self, component: str) -> str | None:
        """Name the class of a component; None if the pipeline was saved without the component."""
        match self.index.get(component):
            case [str(), str(name)]:
                return name
            case _:  # missing, or [null, null]
                return None

    def check_class(self, component: str, allowed: Sequence[str]) -> None:
        """Check the class of a component before it is loaded.

        Raises:
            TargetError: The component has another class, or is missing.
        """
        name = self.class_name(component)
        if name not in allowed:
            raise TargetError(
                f"expected {component} of {self} to be one of {', '.join(allowed)}, got {name}; "
                "pass a folder that holds such a model"
            )

    def config(self, component: str, file: str = "config.json") -> dict[str, Any]:
        """Read the configuration of a component, with the overrides applied.

        Returns:
            Its keys and values.

        Raises:
            TargetError: The file is missing or does not hold a JSON object.
        """
        return read_json(self.place(component) / file) | self.overridden(component)

    def config_with_defaults(self, component: str) -> dict[str, Any]:
        """Read the configuration of a model as the loaded model has it, without loading it.

        Returns:
            Its keys and values. ``_use_default_values`` lists the keys that the file does not have.

        Raises:
            TargetError: The file is missing or does not hold a JSON object, or the class is not one of diffusers.
        """
        name = self.class_name(component)
        kind = None if name is None else self._class(component, self.index[component][0], name)
        if kind is None:
            raise TargetError(f"expected {component} of {self} to be a class of diffusers, got {name}")
        config = self.config(component)
        parameters = inspect.signature(kind.__init__).parameters.values()
        defaults = {part.name: part.default for part in parameters if part.default is not part.empty}
        return defaults | config | {"_use_default_values": [key for key in defaults if key not in config]}

    def overrides_of(self, component: str) -> dict[str, Any]:
        """Return the overrides of one component, by ``component.key``."""
        return {key: value for key, value in self.overrides.items() if key.startswith(f"{component}.")}

    def overridden(self, component: str) -> dict[str, Any]:
        """Return the overrides of one component, by key."""
        return {key.removeprefix(f"{component}."): value for key, value in self.overrides_of(component).items()}

    def load(self, component: str, dtype: torch.dtype = torch.float32) -> Any:  # noqa: ANN401 - a diffusers or transformers object
        """Load one component with its own `from_pretrained`.

        Args:
            component: Name of the component.
            dtype: Precision of its weights.

        Returns:
            The diffusers or transformers object; models in eval mode and frozen.

        Raises:
            TargetError: The class belongs to another library, a package that it needs is not installed, or weights are
                missing or not safetensors.
        """
        library, name = self.index[component]
        kind = self._class(component, library, name)
        if kind is None:
            raise TargetError(
                f"expected {component} of {self} to be a class of diffusers or transformers, "
                f"got {library}.{name}; code inside a model folder is never run"
            )
        is_model = not ("Tokenizer" in name or name.endswith("Processor"))
        if self.single is not None and self.in_single_file(component):
            model = build_component(self.single, component, kind, self.place(component), dtype)
            return self._finish(model, component)
        if is_model:
            check_weights(self.place(component), self.config(component))
        options = self._model_options(component, kind, dtype) if is_model else {}
        try:
            # Both libraries draw random weights before they read the real ones, which must not advance the user's
            # global generator.
            with quiet(), torch.random.fork_rng(devices=[]):
                loaded = kind.from_pretrained(self.place(component), local_files_only=True, **options)
        except ImportError as error:
            raise TargetError(
                f"cannot load {component} ({name}) of {self}, which needs a package that is not installed: "
                f"{first_line(error)}; install it"
            ) from error
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
            reason = first_line(error).split(". If you want")[0]  # advice for code, which a user cannot follow
            raise TargetError(
                f"cannot load {component} ({name}) of {self}: {reason}; its configuration and its weights may be from "
                "different models: copy the folder again"
            ) from error
        if not is_model:
            return loaded
        model, report = loaded
        if report["missing_keys"]:  # both libraries would leave these weights random, with no more than a warning
            missing = sorted(report["missing_keys"])
            raise TargetError(
                f"expected all weights of {component} in {self}, but {len(missing)} are missing, "
                f"among them {missing[0]}; copy the folder again"
            )
        # Weights without a place are dropped with no more than a warning: what runs is not what was trained.
        dropped = sorted(key for key in report["unexpected_keys"] if not key.endswith(RECOMPUTED))
        if dropped:
            raise TargetError(
                f"expected weights that {name} has a place for in {component} of {self}, but {len(dropped)} have none, "
                f"among them {dropped[0]}; save the component again with the library versions of its training"
            )
        return self._finish(model, component)

    def _finish(self, model: Any, component: str) -> Any:  # noqa: ANN401 - a diffusers or transformers model
        """Check the weights of a model, apply the overrides, and freeze it."""
        broken = next((name for name, values in model.named_parameters() if not values.isfinite().all()), None)
        if broken is not None:
            raise TargetError(
                f"expected finite weights of {component} in {self}, got NaN or infinity in {broken}; the training may "
                "have diverged, or the weights overflowed in float16: pass another checkpoint"
            )
        if changed := self.overridden(component):
            model.register_to_config(**changed)
        return model.eval().requires_grad_(False)

    def require_variant(self, component: str = "*") -> None:
        """Check that a component, or any of them, has weights of the requested variant.

        Raises:
            TargetError: A variant is requested, and there are no such weights.
        """
        if self.variant is not None and not self._has_variant(component):
            raise TargetError(
                f"expected weights of the variant {self.variant} (*.{self.variant}.safetensors) in {self}, found none; "
                "leave the variant out"
            )

    def _has_variant(self, component: str) -> bool:
        return any(self.path.glob(f"{component}/*.{self.variant}*.safetensors"))

    def _class(self, component: str, library: str, name: str) -> Any:  # noqa: ANN401 - a class of diffusers or transformers
        """Find a class by name; the library may also be a module of pipelines within diffusers, such as ``kolors``."""
        modules = {"diffusers": diffusers, "transformers": transformers}
        try:
            with quiet():
                module = modules.get(library) or _pipeline_module(library)
                return getattr(module, str(name), None) or moved_class(library, name)
        except (ImportError, RuntimeError) as error:
            raise TargetError(
                f"cannot load {component} ({name}) of {self}, which needs a package that is not installed: "
                f"{first_line(error)}; install it"
            ) from error

    def _model_options(self, component: str, kind: type, dtype: torch.dtype) -> dict[str, Any]:
        options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True}
        variant = choose_variant(self.place(component), self.variant)
        if variant is not None:
            options["variant"] = variant
        if issubclass(kind, transformers.PreTrainedModel):
            return options | {"dtype": dtype}
        # Weights are read into an empty model, so that they are held once.
        return options | {"torch_dtype": dtype, "low_cpu_mem_usage": True}
