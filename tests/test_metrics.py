"""Agreement, intervals, confusion; and the pictures of them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinya2i import metrics

# Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3: Wilson without correction.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("k", "n", "low", "high"), NEWCOMBE)
def test_wilson_against_published_values(k, n, low, high):
    np.testing.assert_allclose(metrics.wilson(k, n), (low, high), atol=5e-5)


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_ends_are_the_roots_of_the_score_test(a, b):
    k, n = min(a, b), max(a, b)
    low, high = metrics.wilson(k, n)
    assert 0 <= low <= (k / n if n else 0.5) <= high <= 1
    for p in (low, high) if n else ():
        if 0 < p < 1:
            assert (k / n - p) ** 2 == pytest.approx(1.96**2 * p * (1 - p) / n, rel=1e-6)


def test_wilson_is_symmetric_and_shrinks():
    low, high = metrics.wilson(30, 200)
    assert metrics.wilson(170, 200) == pytest.approx((1 - high, 1 - low))
    widths = [np.ptp(metrics.wilson(9 * n, 10 * n)) for n in (1, 10, 100)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_wilson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="out of"):
        metrics.wilson(k, n)


def test_confusion_counts_each_pair():
    digits, predicted = np.array([0, 0, 7, 7, 7]), np.array([0, 1, 7, 1, 1], np.uint8)
    C = metrics.confusion(digits, predicted)
    assert C.shape == (10, 10)
    assert (C[0, 0], C[0, 1], C[7, 7], C[7, 1], C[1, 7]) == (1, 1, 1, 2, 0)
    assert C.sum() == 5


@pytest.mark.parametrize(
    ("digits", "predicted"),
    [([1], [1, 2]), ([[1]], [[1]]), ([10], [1]), ([1], [-1]), ([1.0], [1.0])],
)
def test_confusion_refuses_what_are_no_digits(digits, predicted):
    with pytest.raises(ValueError, match=r"labels|not \(n,\)"):
        metrics.confusion(np.array(digits), np.array(predicted))


@pytest.fixture
def result():
    digits = np.array([0, 0, 1, 1, 1, 2])
    predicted = np.array([0, 3, 1, 1, 1, 0])
    speakers = np.array(["theo", "jackson", "theo", "theo", "jackson", "jackson"])
    return metrics.agreement(digits, predicted, {"speaker": speakers})


def test_agreement_overall_and_per_group(result):
    assert (result["correct"], result["count"], result["rate"]) == (4, 6, 4 / 6)
    assert result["interval"] == list(metrics.wilson(4, 6))
    assert {d: row["rate"] for d, row in result["per_digit"].items()} == {"0": 0.5, "1": 1, "2": 0}
    speakers = {name: (row["correct"], row["count"]) for name, row in result["per_speaker"].items()}
    assert speakers == {"jackson": (1, 3), "theo": (3, 3)}
    assert np.trace(result["confusion"]) == 4
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_agreement_of_nothing_has_no_rate():
    empty = np.zeros(0, np.int64)
    result = metrics.agreement(empty, empty)
    assert (result["rate"], result["interval"]) == (None, [0, 1])
    assert "-" in metrics.table(result)


def test_agreement_refuses_a_group_of_another_length():
    with pytest.raises(ValueError, match="group"):
        metrics.agreement(np.arange(3), np.arange(3), {"speaker": np.array(["a"])})


def test_the_table_has_a_line_for_each_group(result):
    lines = metrics.table(result).splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == [
        *("all", "digit 0", "digit 1", "digit 2", "speaker jackson", "speaker theo")
    ]
    assert "66.67%" in lines[0]
    assert lines[0].endswith("4/6")


# Pictures


def png_size(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


@pytest.fixture(scope="module")
def plot():
    pytest.importorskip("matplotlib")
    from tinya2i import plot

    return plot


def test_grid_of_arrays_lists_and_bytes(plot, tmp_path):
    X = np.random.default_rng(0).random((3, 4, 28, 28))
    pictures = {
        "array": X,
        "channels": X[..., None],
        "bytes": (X * 255).astype(np.uint8),
        "lists": [[X[0, 0], None], [X[1, 0], X[1, 1], X[1, 2]]],
    }
    for name, images in pictures.items():
        path = tmp_path / f"{name}.png"
        plot.grid(images, path, rows=["a", "b", "c"][: len(images)], title=name)
        width, height = png_size(path)
        assert min(width, height) > 100
    arrays = [(tmp_path / f"{name}.png").stat().st_size for name in ("array", "channels")]
    assert abs(arrays[0] - arrays[1]) < 2000  # but for the title, the same picture
    assert not list(tmp_path.glob(".*"))


def test_grid_shows_the_numbers_it_is_given(plot, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    for value in (0.0, 1.0):
        plot.grid(np.full((1, 1, 28, 28), value), tmp_path / "a.png")
        P = image.imread(tmp_path / "a.png")[..., :3]
        centre = P[P.shape[0] // 2, P.shape[1] // 2]
        np.testing.assert_allclose(centre, value, atol=0.01)


def test_grid_with_spectrograms_in_front(plot, tmp_path):
    X = np.random.default_rng(0).random((2, 3, 28, 28))
    plot.grid(X, tmp_path / "a.png", spectrograms=X[:, 0].repeat(2, axis=-1))
    plot.grid(X, tmp_path / "b.png")
    assert png_size(tmp_path / "a.png")[0] > png_size(tmp_path / "b.png")[0]


@pytest.mark.parametrize("images", [[], [[]], np.zeros((2, 0, 28, 28)), np.zeros((2, 28, 28))])
def test_grid_refuses_what_is_no_grid(plot, tmp_path, images):
    with pytest.raises(ValueError, match="grid"):
        plot.grid(images, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_curves_of_rows_with_gaps(plot, tmp_path):
    rows = [
        {"epoch": 1, "step": 9, "loss": 3.0, "test_loss": 3.5, "kl": None, "seconds": 1.0},
        {"epoch": 2, "step": 18, "loss": 2.0, "kl": 4.0, "warnings": ["x"], "seconds": 1.0},
    ]
    assert plot.panels(rows) == {"loss": ["loss", "test_loss"], "kl": ["kl"]}
    plot.curves(rows, tmp_path / "a.png")
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plot.curves(tmp_path / "metrics.jsonl", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_curves_of_nothing_are_refused(plot, tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.curves([], tmp_path / "a.png")


def test_confusion_picture(plot, tmp_path, result):
    plot.confusion(result["confusion"], tmp_path / "a.png", title="test")
    assert min(png_size(tmp_path / "a.png")) > 300


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(plot, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("tinya2i.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError("x")))
    with pytest.raises(OSError, match="x"):
        plot.grid(np.zeros((1, 1, 28, 28)), path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]
