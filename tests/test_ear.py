"""A generator whose encoder starts with a trained ear: what is taken over, how large, and whose."""

from dataclasses import replace

import numpy as np
import pytest
from test_examples import inside  # noqa: F401
from test_examples_search import FEW, read
from test_tasks import mix as plain_mix  # noqa: F401
from test_tasks import save

from tinya2i.errors import CheckpointError, DataError, RunError
from tinya2i.models import CVAE, VAE, VAEGAN, Autoencoder, Correspondence, LeNet5
from tinya2i.streams import stream
from tinya2i.tasks import ear


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of --ear vae whose features are far too large."""
    folder = tmp_path_factory.mktemp("ear")
    model = Correspondence(stream(5, "init"), ear="vae")
    for _, param in model.ear.named_params():
        param.data += np.float32(0.01)  # biases, too, are something to take over
    model.ear[-2].W.data *= 30
    save(folder, model, flags={"model": "correspondence", "ear": "vae"}, data={})
    return folder, model


@pytest.fixture
def mix(plain_mix, monkeypatch):  # noqa: F811
    plain_mix = replace(plain_mix, info={"name": "mix", "clips": {"sha256": "0"}, "seed": 0})
    monkeypatch.setattr(ear, "rebuild_mix", lambda config, **given: plain_mix)
    return plain_mix


@pytest.mark.parametrize("kind", [VAE, CVAE, Autoencoder])
def test_the_encoder_hears_as_the_ear_but_for_the_size(folder, mix, kind):
    """last(F / s) with the random last layer that the model had, and F / s of mean square 1."""
    (place, trained), model = folder, kind(stream(1, "init"))
    before = model.state()
    ear.start_from(model, place, mix)
    F = trained.ear(mix.train.clips)
    size = np.sqrt((F * F).mean())
    assert size > 5
    np.testing.assert_allclose(model.encoder[:-1](mix.train.clips), F / size, rtol=1e-4, atol=1e-5)
    for name, array in model.state().items():
        kept = name.startswith(f"encoder.{len(model.encoder) - 1}.") or "encoder" not in name
        assert kept == np.array_equal(array, before[name]), name


def test_an_ear_that_has_heard_the_test_clips_is_refused(folder, mix):
    others = replace(mix, test=replace(mix.test, names=mix.test.names[::-1]))
    model = VAE(stream(1, "init"))
    before = model.state()
    with pytest.raises(DataError, match="has other test clips, and has learned from these"):
        ear.start_from(model, folder[0], others)
    assert all(np.array_equal(array, before[name]) for name, array in model.state().items())


def test_what_has_another_shape_is_refused(folder, mix, tmp_path):
    with pytest.raises(RunError, match="does not fit this model: take a run of"):
        ear.start_from(VAEGAN(), folder[0], mix)
    save(tmp_path, Correspondence(), flags={"model": "correspondence", "ear": "tower"}, data={})
    with pytest.raises(RunError, match="does not fit this model: take a run of"):
        ear.start_from(VAE(), tmp_path, mix)
    save(tmp_path, LeNet5(), flags={"model": "lenet5"}, data={})
    with pytest.raises(CheckpointError, match="'lenet5', not of an eye and an ear"):
        ear.start_from(VAE(), tmp_path, mix)


def test_a_vae_is_trained_from_an_ear(inside, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    taught = ("--objective", "contrastive", "--ear", "vae", "--augment", "1", "--epochs", "1")
    assert inside("train_correspondence", *taught, *FEW, "--out", "ear") == (0, "", "")
    words = ("train_vae", "--dry-run", *FEW, "--out", "vae", "--ear-from")
    assert inside(*words, "ear") == (0, "", "")
    assert read(tmp_path / "vae" / "config.json")["flags"]["ear_from"] == "ear"
    code, output, errors = inside(*words, "nowhere", "--overwrite")
    assert (code, output) == (2, "")
    assert "nowhere is not the folder of a run" in errors
