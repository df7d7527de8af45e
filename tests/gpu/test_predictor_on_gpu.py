"""The same anatomy on a GPU as on the CPU; skipped where there is no GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.synthesis.phantom import make_phantom

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


@pytest.fixture(scope="module")
def image():
    return make_phantom(3).images[2]


def test_gpu_and_cpu_find_the_same_classes(image):
    model = load_model()
    cpu, gpu = (Predictor(model, device).predict(image).classes for device in ("cpu", "cuda"))
    for value in range(1, 7):
        one, two = cpu == value, gpu == value
        assert 2 * np.count_nonzero(one & two) >= 0.98 * (np.count_nonzero(one) + np.count_nonzero(two)), value


def test_series_that_are_read_together_say_what_each_says_alone():
    images = make_phantom(3).images
    predictor = Predictor(load_model(), "cuda")
    assert predictor.together > 1
    for image, joined in zip(images, predictor.predict_all(images), strict=True):
        assert (predictor.predict(image).classes == joined.classes).mean() > 0.999


def test_auto_takes_the_gpu():
    assert Predictor(load_model(), "auto").device.type == "cuda"
