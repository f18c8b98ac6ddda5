"""Writes the tables of docs/models.md from the code: ``python docs/site/model_tables.py``. A test compares them."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import diffusers

from privaudit.errors import TargetError
from privaudit.loading.autoencoder.layouts import LAYOUTS, UNREADABLE
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import FAMILIES, Family
from privaudit.loading.noise_levels import load_schedule
from privaudit.loading.recognise import recognise
from privaudit.loading.unsupported import UNSUPPORTED
from privaudit.model.schedule import DiffusionSchedule, EDMSchedule, FlowSchedule

PAGE = Path(__file__).parents[1] / "models.md"
BLOCK = re.compile(r"(<!-- here: docs/site/model_tables\.py (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A table between its two markers, of which the first has its name."""
OPTIONAL = ("CosineDPMSolverMultistepScheduler", "DPMSolverSDEScheduler")
"""Schedulers that diffusers has only if torchsde is installed."""


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """Replace what stands between the markers.

    Args:
        text: The page.

    Returns:
        The page with the tables that the code gives.
    """
    made = (families, settings, schedulers, notes, refusals, autoencoders, unreadable, examples)
    by_name = {each.__name__: each for each in made}
    return BLOCK.sub(lambda block: f"{block[1]}\n{by_name[block[2]]().rstrip()}\n\n{block[3]}", text)


def families() -> str:
    """Return a table of the pipelines that are read."""
    rows = [
        (
            f"[{title(kind)}](#{anchor(title(kind))})",
            ", ".join(f"`{name}`" for name in (kind.pipeline, *kind.variants)) if is_named(kind) else name_of(kind),
            kind.kind,
            ", ".join(part.replace("_", " ") for part in kind.reads) or "nothing",
            {True: "flow", False: "diffusion", None: "either"}[kind.flow],
            size(kind),
        )
        for kind in kinds()
    ]
    return table(("model", "pipelines", "kind", "told of an image", "noise", "size"), rows)


def settings() -> str:
    """Return a table of what trainers choose differently, with the pipelines that have a setting."""
    grouped = defaultdict(list)
    for kind in kinds():
        for name, setting in kind.settings.items():
            grouped[name, setting].append(name_of(kind))
    rows = []
    for (name, setting), pipelines in sorted(grouped.items(), key=lambda group: group[0][0]):
        default = setting.default if isinstance(setting.default, str) else f"{setting.default:g}"
        choices = f" ({', '.join(f'`{choice}`' for choice in setting.choices)})" if setting.choices else ""
        rows.append((f"`condition.{name}`", f"`{default}`", plain(setting.meaning) + choices, ", ".join(pipelines)))
    return table(("setting", "default", "what it is", "pipelines"), rows)


def schedulers() -> str:
    """Return a table of the schedulers, by how a folder with a default configuration of each is read."""
    grouped = defaultdict(list)
    for name in sorted(name for name in dir(diffusers) if name.endswith("Scheduler") and name not in OPTIONAL):
        grouped[schedule_of(getattr(diffusers, name))].append(f"`{name}`")
    rows = [(reading, str(len(names)), ", ".join(names)) for reading, names in sorted(grouped.items())]
    return table(("read as", "number", "classes"), rows)


def schedule_of(kind: Any) -> str:  # noqa: ANN401 - a class of diffusers
    """Say as what kind of schedule a scheduler is read."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of numpy, by the tables of the solvers
            scheduler = kind()
    except TypeError:
        return "not tried: has no default configuration, and belongs to pipelines that are refused"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        scheduler.save_pretrained(Path(folder) / "scheduler")
        try:
            schedule, _ = load_schedule(PipelineFolder(Path(folder), {}))
        except TargetError as error:
            return "refused: " + str(error).split(", which ")[-1].split(";")[0]
    return {DiffusionSchedule: "diffusion", FlowSchedule: "flow", EDMSchedule: "EDM"}[type(schedule)]


def notes() -> str:
    """Return what the docstrings of the families say, with the source of each."""
    parts = []
    for module, several in by_module().items():
        parts.append(f"### {title(several[0])}\n\n{plain(first_line(sys.modules[module].__doc__))}\n")
        for kind in several:
            parts.append(f"**{name_of(kind)}**: {plain(inspect.cleandoc(kind.__doc__ or ''))}\n")
    return "\n".join(parts)


def refusals() -> str:
    """Return a table of the pipelines that are refused by name, by reason."""
    return table(("reason", "pipelines"), by_reason(UNSUPPORTED))


def autoencoders() -> str:
    """Return a table of the autoencoder classes that are read."""
    stills = {name for kind in FAMILIES.values() if kind.still for name in kind.autoencoders}
    grouped = defaultdict(list)
    for name, layout in LAYOUTS.items():
        grouped[layout].append(f"`{name}`" + (" (images in a pipeline of images)" if name in stills else ""))
    rows = [(f"({', '.join(layout)})", str(len(names)), ", ".join(names)) for layout, names in grouped.items()]
    return table(("axes", "number", "classes"), rows)


def unreadable() -> str:
    """Return a table of the autoencoder classes that are not read, by reason."""
    return table(("reason", "classes"), by_reason(UNREADABLE))


def examples() -> str:
    """Return what is said about some files and folders that are no pipeline, by asking about them."""
    files: Mapping[str, bytes] = {
        "style.safetensors": weights("lora_unet_a_to_q.lora_down.weight"),
        "adapter/adapter_config.json": b"{}",
        "model.safetensors": weights("model.diffusion_model.a", "first_stage_model.b"),
        "model.ckpt": b"",
        "flux-Q4.gguf": b"GGUF",
        "output/checkpoint-500/optimizer.bin": b"",
        "output/checkpoint-500/unet/config.json": json.dumps({"_class_name": "UNet2DConditionModel"}).encode(),
        "transformer/config.json": json.dumps({"_class_name": "FluxTransformer2DModel"}).encode(),
        "vae/config.json": json.dumps({"_class_name": "AutoencoderKL"}).encode(),
        "learned_embeds.safetensors": weights("<word>"),
        "photographs/1.jpg": b"",
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        paths = dict.fromkeys(Path(name).parts[0] for name in files)
        answers = {path: recognise(Path(path)) for path in paths}
    rows = [(f"`{path}`", plain(answer.what), plain(answer.advice)) for path, answer in answers.items()]
    return table(("path", "what it is", "what to do"), rows)


def weights(*keys: str) -> bytes:
    """Return a safetensors file with one number per key.

    Args:
        keys: Names of its tensors.

    Returns:
        Content of the file.
    """
    entry = {"dtype": "F32", "shape": [1, 1]}
    header = json.dumps({key: {**entry, "data_offsets": [4 * n, 4 * n + 4]} for n, key in enumerate(keys)}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * len(keys))


def kinds() -> list[type[Family]]:
    """Return every family, and those that one of them chooses for some folders, by module."""
    return [kind for several in by_module().values() for kind in several]


def by_module() -> dict[str, list[type[Family]]]:
    """Group the families by the module that defines them, in the order of their lines."""
    registered = list(FAMILIES.values())
    every = {*registered, *(child for kind in registered for child in kind.__subclasses__())}
    grouped: dict[str, list[type[Family]]] = defaultdict(list)
    for kind in sorted(every, key=lambda each: (each.__module__, inspect.getsourcelines(each)[1])):
        if kind.__module__.startswith("privaudit."):
            grouped[kind.__module__].append(kind)
    return dict(sorted(grouped.items(), key=lambda group: title(group[1][0]).lower()))


def title(kind: type[Family]) -> str:
    """Name the model of a family, after the first line of its module."""
    line = first_line(sys.modules[kind.__module__].__doc__)
    return re.sub(r"\s*\(.*?\)| (?:of|as|and (?:its|their)) .*|, .*|\.$", "", line)


def anchor(heading: str) -> str:
    """Name the place of a heading in a page."""
    return re.sub(r"[^\w-]+", "", heading.lower().replace(" ", "-"))


def is_named(kind: type[Family]) -> bool:
    """Check whether the class of the pipeline decides for a family, and not a value in the folder."""
    return FAMILIES[kind.pipeline] is kind


def name_of(kind: type[Family]) -> str:
    """Name the pipeline of a family, and the family in words where a value in the folder decides for it."""
    words = re.sub(r"(?<=[a-z])([A-Z])", lambda letter: f" {letter[1]}", kind.__name__).lower()
    return f"`{kind.pipeline}`" + (f" ({words})" if not is_named(kind) else "")


def size(kind: type[Family]) -> str:
    """Say where the size of the images comes from without ``--resolution``."""
    if kind.resolution is not None:
        height, width = kind.resolution
        return f"{height}x{width}"
    if has_size(kind.networks):
        return "of the denoiser's file"
    return "of the autoencoder's file" if has_size(kind.autoencoders) else "needs `--resolution`"


def has_size(names: Iterable[str]) -> bool:
    """Check whether configurations of these classes of diffusers have a ``sample_size``."""
    return any("sample_size" in inspect.signature(getattr(diffusers, name).__init__).parameters for name in names)


def by_reason(reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Group names by the reason, the largest group first."""
    grouped = defaultdict(list)
    for name, reason in reasons.items():
        grouped[reason].append(f"`{name}`")
    order = sorted(grouped.items(), key=lambda group: -len(group[1]))
    return [(plain(reason), ", ".join(sorted(names))) for reason, names in order]


def first_line(text: str | None) -> str:
    """Return the first line of a docstring."""
    return (text or "").strip().splitlines()[0]


def plain(text: str) -> str:
    """Return the text of a docstring or message as Markdown.

    Args:
        text: Text with code between one or two backticks.

    Returns:
        Paragraphs of one line each, with code between single backticks and nothing that Markdown would take up.
    """
    parts = re.sub(r"(?<!\n)\n(?!\n)", " ", text.replace("``", "`")).split("`")  # every second one is code
    parts[::2] = [re.sub(r"([|<>*_\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
