from __future__ import annotations

import numpy as np
import pytest

from privaudit.evaluation.suspects import null_rate
from privaudit.evaluation.suspects.normal_scores import normal_scores, observe
from privaudit.evaluation.suspects.null_rate import null_rates


@pytest.mark.parametrize("most", [2000, 10])
def test_every_split_deals_whole_groups(monkeypatch, most):
    generator = np.random.default_rng(0)
    observed = observe(normal_scores(generator.normal(size=(40, 3))), [f"{i // 2}" for i in range(40)])
    seen, real = [], null_rate.image_tests

    def recorded(part, is_suspect):
        seen.append((part, is_suspect))
        return real(part, is_suspect)

    monkeypatch.setattr(null_rate, "image_tests", recorded)
    monkeypatch.setattr(null_rate, "MAX_OBSERVATIONS", most)
    rates = null_rates(observed, 4, 3, alpha=0.05, rate=0.1, repeats=5, generator=generator)
    assert rates.repeats == len(seen) == 5
    for part, is_suspect in seen:
        assert (len(part.units), is_suspect.sum()) == (min(most, 20), 4)
        again = observe(part.images, [str(unit) for unit in part.unit])
        np.testing.assert_allclose(again.units, part.units[part.unit[again.first]])
        assert (again.sizes == 2).all()
        assert {tuple(row) for row in part.images} <= {tuple(row) for row in observed.images}
    firsts = [tuple(part.units[:4, 0]) for part, _ in seen]
    assert len(set(firsts)) == 5  # other pseudo-suspects each time
