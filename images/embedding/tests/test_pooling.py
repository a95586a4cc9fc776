"""One vector per text out of one per token, whichever way a model was trained for."""

import numpy as np
import pytest
from coderag_embedding.pooling import pool, shorten, unit
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

HIDDEN = np.array([[[3, 4], [0, 2], [5, 12]], [[6, 8], [7, 0], [9, 9]]], np.float32)
RIGHT = np.array([[1, 1, 1], [1, 1, 0]])
LEFT = np.array([[1, 1, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    ("how", "mask", "expected"),
    [
        ("cls", RIGHT, [[3, 4], [6, 8]]),
        ("cls", LEFT, [[3, 4], [7, 0]]),
        ("last", RIGHT, [[5, 12], [7, 0]]),
        ("last", LEFT, [[5, 12], [9, 9]]),
        ("mean", RIGHT, [[8 / 3, 6], [6.5, 4]]),
        ("mean", LEFT, [[8 / 3, 6], [8, 4.5]]),
    ],
)
def test_padding_on_either_side_is_not_read(how, mask, expected):
    wanted = np.array(expected) / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(pool(HIDDEN, mask, how), wanted, rtol=1e-6)


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match="pooling is 'max': use mean, cls or last"):
        pool(HIDDEN, RIGHT, "max")


def test_a_vector_of_zeros_stays_finite():
    assert unit(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


@given(arrays.arrays(np.float32, (2, 5, 3), elements=st.floats(-1e6, 1e6, width=32)), st.integers(1, 5))
def test_a_text_alone_is_the_text_in_a_padded_batch(hidden, length):
    mask = np.array([[1] * 5, [1] * length + [0] * (5 - length)])
    for how in ("mean", "cls", "last"):
        together = pool(hidden, mask, how)[1:]
        np.testing.assert_allclose(together, pool(hidden[1:, :length], mask[1:, :length], how), atol=1e-4)


def test_a_shortened_vector_is_its_beginning_at_length_one():
    vector = np.array([3, 4, 12], np.float32) / 13
    np.testing.assert_allclose(shorten(vector, 2), [0.6, 0.8], rtol=1e-6)
    assert shorten(vector, None) is vector
    assert shorten(vector, 3) is vector
