import numpy as np

from training.calibrate import automatic_limit, fit_temperature, fit_thresholds


def test_an_overconfident_model_is_cooled():
    random = np.random.default_rng(1)
    logits = random.normal(size=(2000, 3)).astype(np.float32)
    gold = np.array([random.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    assert abs(fit_temperature(logits, gold, exclusive=True) - 1) < 0.15
    assert abs(fit_temperature(logits * 4, gold, exclusive=True) - 4) < 0.6


def test_thresholds_find_the_best_cut():
    probabilities = np.concatenate((np.full(50, 0.35), np.full(50, 0.25))).astype(np.float32)[:, None]
    gold = np.concatenate((np.ones(50), np.zeros(50))).astype(np.int64)[:, None]
    assert 0.25 < fit_thresholds(probabilities, gold)[0] <= 0.35


def test_the_automatic_limit_keeps_the_error_with_a_margin():
    confidence = np.linspace(1, 0.5, 2000).astype(np.float32)
    right = np.ones(2000, dtype=bool)
    right[1000::2] = False
    limit = automatic_limit(confidence, right, target=0.01)
    chosen = confidence >= limit
    assert 0.74 < limit < 0.76 and (~right[chosen]).mean() <= 0.01
    assert automatic_limit(confidence[:20], np.zeros(20, dtype=bool)) > 0.9
