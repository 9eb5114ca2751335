"""The same training steps as a user of PyTorch would write them. Importing this needs PyTorch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tinya2i import layers
from tinya2i.benchmark import pytorch_vaegan
from tinya2i.benchmark.flops import Pass, shapes
from tinya2i.benchmark.steps import Batch
from tinya2i.layer import Layer


@dataclass(frozen=True)
class Configuration:
    """How PyTorch lays out pictures and weights in memory, and which of its Adams it uses.

    mode: torch.compile's; None: nothing is compiled.
    """

    layout: torch.memory_format
    fused: bool
    device: str = "cpu"
    mode: str | None = None

    def place(self, networks: Iterable[nn.Module]) -> nn.ModuleList:
        """The networks where and how this says."""
        return nn.ModuleList(networks).to(self.device, memory_format=self.layout)

    def compiled(self, function: Callable) -> Callable:
        """The function or network, compiled where this says so."""
        return torch.compile(function, mode=self.mode) if self.mode else function


CONFIGURATIONS = {
    f"{layout}, {adam} Adam": Configuration(getattr(torch, name), adam == "fused")
    for layout, name in (("contiguous", "contiguous_format"), ("channels_last", "channels_last"))
    for adam in ("plain", "fused")
}


@dataclass(frozen=True)
class Theirs:
    """A model in training, as `steps.Ours`; networks in the order of the passes there."""

    step: Callable[[], torch.Tensor]
    networks: nn.ModuleList


def lenet5(batch: Batch, how: Configuration) -> Theirs:
    """LeNet5 on cross-entropy."""
    X, labels = tensors(batch, how)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip
    return training([network], lambda: F.cross_entropy(network(X), labels), how)


def vae(batch: Batch, how: Configuration) -> Theirs:
    """The VAE on summed binary cross-entropy plus KL."""
    X, T, noise = tensors(batch, how)
    encoder = nn.Sequential(
        nn.Conv2d(1, 64, 4, stride=2), nn.ReLU(),
        nn.Conv2d(64, 128, 4, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(10 * 10 * 128, 1024), nn.ReLU(),
        nn.Linear(1024, 512), nn.ReLU(),
        nn.Linear(512, 2 * 64),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(64, 512), nn.ReLU(),
        nn.Linear(512, 1024), nn.ReLU(),
        nn.Linear(1024, 7 * 7 * 128), nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
    )  # fmt: skip

    def loss() -> torch.Tensor:
        mu, logvar = encoder(X).chunk(2, dim=1)
        Z = decoder(mu + torch.exp(logvar / 2) * noise)
        reconstruction = F.binary_cross_entropy_with_logits(Z, T, reduction="sum")
        kl = (mu**2 + logvar.exp() - 1 - logvar).sum() / 2
        return (reconstruction + kl) / len(X)

    return training([encoder, decoder], loss, how)


def vaegan(batch: Batch, how: Configuration) -> Theirs:
    """The VAE-GAN on its two players' losses, gradients of both at the same weights.

    The usual loop runs the discriminator a third time, for the generator. Going back twice through
    its pass on the fake, each time for one player's weights alone, is less work.
    """
    X, T, noise = tensors(batch, how)
    networks = how.place(pytorch_vaegan.networks())
    encoder, decoder, discriminator = map(how.compiled, networks)
    if how.mode:
        pytorch_vaegan.allow_going_back_twice()
    judges, draws = [*discriminator.parameters()], [*encoder.parameters(), *decoder.parameters()]
    adams = [
        torch.optim.Adam(params, lr=2e-4, betas=(0.5, 0.999), fused=how.fused)
        for params in (judges, draws)
    ]
    bce = F.binary_cross_entropy_with_logits

    def step() -> torch.Tensor:
        mu, logvar = encoder(X).chunk(2, dim=1)
        Z = decoder(mu + torch.exp(logvar / 2) * noise)
        real, fake = discriminator(T), discriminator(torch.sigmoid(Z))
        of_judge = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
        kl = (mu**2 + logvar.exp() - 1 - logvar).sum()
        reconstruction = bce(Z, T, reduction="sum")
        of_hand = bce(fake, torch.ones_like(fake)) + (0.2 * reconstruction + 0.25 * kl) / len(X)
        for adam in adams:
            adam.zero_grad()
        of_judge.backward(inputs=judges, retain_graph=True)
        of_hand.backward(inputs=draws)
        for adam in adams:
            adam.step()
        return (of_judge + of_hand).detach()

    return Theirs(step, networks)


STEPS = {"lenet5": lenet5, "vae": vae, "vaegan": vaegan}


def training(
    networks: Iterable[nn.Module], loss: Callable[[], torch.Tensor], how: Configuration
) -> Theirs:
    """One training step on loss(), with one Adam for all networks."""
    modules, loss = how.place(networks), how.compiled(loss)
    adam = torch.optim.Adam(modules.parameters(), lr=1e-3, fused=how.fused)

    def step() -> torch.Tensor:
        value = loss()
        adam.zero_grad()
        value.backward()
        adam.step()
        return value.detach()

    return Theirs(step, modules)


def tensors(batch: Batch, how: Configuration) -> list[torch.Tensor]:
    """Copies of our arrays; pictures (n, h, w, c) become (n, c, h, w), in the layout asked for."""
    given = [torch.tensor(array, device=how.device) for array in batch]
    return [
        X.permute(0, 3, 1, 2).contiguous(memory_format=how.layout) if X.ndim == 4 else X
        for X in given
    ]


@torch.no_grad()
def copy_weights(passes: Iterable[Pass], theirs: Theirs) -> None:
    """PyTorch's networks compute from now on what ours do: the same numbers in its layouts."""
    ours = {id(way.network): way for way in passes}.values()  # each network once
    for way, modules in zip(ours, theirs.networks, strict=True):
        rows = list(shapes(way.network, way.item))
        for i, ((layer, item_in, _), module) in enumerate(zip(rows, modules, strict=True)):
            # A flattened picture runs through rows, columns, channels; PyTorch's: channels first.
            before = rows[i - 1][1] if i and isinstance(rows[i - 1][0], layers.Flatten) else item_in
            after = rows[i + 1][2] if i + 1 < len(rows) else ()
            for name, array in _in_torch_layout(layer, before, after).items():
                getattr(module, name).copy_(torch.from_numpy(np.array(array)))


def _in_torch_layout(
    layer: Layer, before: tuple[int, ...], after: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """{PyTorch's name: array}; before, after: pictures that a linear layer's sides are made of."""
    if isinstance(layer, (layers.Conv2d, layers.ConvTranspose2d)):
        return {"weight": _taps_last(layer.W.data, *layer.kernel), "bias": layer.b.data}
    if isinstance(layer, layers.BatchNorm2d):
        return {"weight": layer.gamma.data, "bias": layer.beta.data}
    if not isinstance(layer, layers.Linear):
        return {}
    # A linear layer on a flattened picture is a convolution whose window is the whole picture.
    i, o = layer.W.data.shape
    seen = before[:2] if len(before) == 3 else (1, 1)
    made = after[:2] if len(after) == 3 else (1, 1)
    W = _taps_last(layer.W.data, *seen).reshape(o, i)
    W = _taps_last(W, *made).reshape(i, o).T
    return {"weight": W, "bias": _taps_last(layer.b.data[:, None], *made).ravel()}


def _taps_last(W: np.ndarray, kh: int, kw: int) -> np.ndarray:
    """(kh*kw*a, b) -> (b, a, kh, kw): the matrix of a convolution as PyTorch stores it."""
    return W.reshape(kh, kw, -1, W.shape[1]).transpose(3, 2, 0, 1)
