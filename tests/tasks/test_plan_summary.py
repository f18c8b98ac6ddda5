"""The printed plan of an audit, from a forecast that no model was needed for."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from privaudit.attacks.plan import WORK, Step
from privaudit.auditing.dry_run import Forecast
from privaudit.results.audit_result import RefusedReport
from privaudit.tasks.plan_summary import duration, print_plan


def passes(**counts: int) -> dict[str, int]:
    return {work: counts.get(work, 0) for work in WORK}


FORECAST = Forecast(
    target="models/small",
    sets={"members": 14, "nonmembers": 12},
    device="cpu",
    batch_size=8,
    steps=(
        Step("sima", passes(forward=5), passes(forward=5), ()),
        Step("loss", passes(forward=5), passes(), ("sima",)),
        Step("gsa", passes(forward=10, backward=10), passes(forward=10, backward=10), ()),
        Step("recon", passes(forward=4, encode=2, decode=1), passes(forward=4, encode=2, decode=1), ()),
    ),
    scorers=("combined", "selected"),
    refused=(RefusedReport("clid", "needs a text-to-image target, and this one takes no captions"),),
    models=1,
    weights={"autoencoder": 80 * 2**20, "denoiser": 3 * 2**30, "text encoders": 4 * 2**30},
    batch_bytes=2**29,
    seconds_per_image=dict.fromkeys((*WORK, "influence", "latents"), 0.01),
    seconds={"latents": 0.26, "influence": 12.0, "scores": 140.0},
)


def printed(forecast: Forecast, width: int = 100) -> str:
    stream = io.StringIO()
    print_plan(forecast, Console(file=stream, width=width))
    return stream.getvalue()


def test_says_what_is_run_shared_and_refused():
    text = " ".join(printed(FORECAST).split())
    assert "19 per image instead of 24; every attack under all four masks" in text
    assert "loss 5 0 0.0 s sima" in text
    assert "gsa 10 + 10 back 10 + 10 back" in text
    assert "recon 4 + 2 enc + 1 dec" in text
    assert "combined 0 0 all" in text
    assert "not run clid needs a text-to-image target" in text
    assert "14 members, 12 nonmembers" in text
    assert "about 3 min for 26 images on cpu, 8 at a time: latents 0.3 s, influence 12 s, scores 2 min" in text
    assert "twice" not in text


def test_says_how_much_memory_the_model_takes():
    text = " ".join(printed(FORECAST).split())
    # together: autoencoder and denoiser, and the text encoders before the first batch; offloaded: the largest alone
    assert "about 7.1 GiB on the device, 4.0 GiB with --offload" in text
    assert "weights of autoencoder 80.0 MiB, denoiser 3.0 GiB, text encoders 4.0 GiB, and 0.5 GiB for 8 images" in text
    assert replace(FORECAST, weights={"denoiser": 2**30}).peak_bytes == (3 * 2**29, 3 * 2**29)


def test_says_that_a_reference_takes_them_twice():
    assert "twice, for the reference model" in " ".join(printed(replace(FORECAST, models=2)).split())


@pytest.mark.parametrize("width", [80, 120])
def test_fits_the_width(width):
    assert max(map(len, printed(FORECAST, width).splitlines())) <= width


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0.04, "0.0 s"),
        (0.4, "0.4 s"),
        (40, "40 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (5399, "90 min"),
        (9000, "2.5 h"),
    ],
)
def test_times_are_as_a_person_says_them(seconds, wanted):
    assert duration(seconds) == wanted


def test_counts_the_images_of_each_bucket_with_their_time():
    sizes = {"512x512": 10, "448x576": 12, "576x448": 4}
    text = " ".join(printed(replace(FORECAST, sizes=sizes, timed="448x576")).split())
    seconds = {name: count * 512 * 512 if name == "512x512" else count * 448 * 576 for name, count in sizes.items()}
    shares = {name: 152.26 * value / sum(seconds.values()) for name, value in seconds.items()}
    listed = [f"{sizes[name]} of {name} ({duration(shares[name])})" for name in ("448x576", "512x512", "576x448")]
    assert f"sizes {', '.join(listed)}; height first, timed at 448x576" in text
    assert "sizes" not in printed(replace(FORECAST, sizes={"512x512": 26}, timed="512x512"))


def test_sums_up_the_rarest_buckets():
    sizes = {f"64x{64 * number}": 20 - number for number in range(1, 11)}
    text = " ".join(printed(replace(FORECAST, sizes=sizes, timed="64x64")).split())
    assert "12 of 64x512" in text
    assert "64x576" not in text
    assert "21 of 2 other sizes" in text
