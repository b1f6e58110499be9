from __future__ import annotations

import numpy as np

from cstalk_bridge.models.metrics.eyes import SACCADE_DEG_S, saccade_sizes, saccades


def test_a_saccade_over_several_rows_is_one_and_a_drift_is_none() -> None:
    eyes = np.zeros((100, 2), dtype=np.float32)
    eyes[20:24, 0] = [2, 6, 10, 12]
    eyes[24:, 0] = 12 + 0.1 * np.arange(76)
    np.testing.assert_allclose(saccade_sizes(eyes, 50.0), [12.0], rtol=1e-5)


def test_the_threshold_tells_a_saccade_from_pursuit() -> None:
    for speed_deg_s, count in ((SACCADE_DEG_S - 1, 0), (SACCADE_DEG_S + 1, 1)):
        yaw = np.clip(np.arange(100) - 20, 0, 30) * speed_deg_s / 50
        gaze = np.stack((yaw, np.zeros(100)), axis=1).astype(np.float32)
        assert len(saccades(gaze, 50.0)) == count


def test_a_saccade_is_from_its_last_old_to_its_first_new_direction() -> None:
    gaze = np.zeros((10, 2), dtype=np.float32)
    gaze[4:] = [3, 4]
    assert saccades(gaze, 50.0).tolist() == [[3, 4]]
    assert saccade_sizes(gaze, 50.0).tolist() == [5.0]
    assert saccade_sizes(gaze / np.float32(10), 50.0).tolist() == []
