"""The VAE-GAN's networks as a user of PyTorch would write them. Importing this needs PyTorch."""

from torch import nn


def networks() -> list[nn.Sequential]:
    """Encoder, decoder and discriminator of arch "talk"."""

    def leaky(c: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(c), nn.LeakyReLU(0.2, inplace=True)]

    def relu(c: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(c), nn.ReLU(inplace=True)]

    encoder = nn.Sequential(
        nn.Conv2d(1, 128, 4, stride=2), *leaky(128),
        nn.Conv2d(128, 256, 4, stride=2), *leaky(256),
        nn.Conv2d(256, 512, 4, stride=2), *leaky(512),
        nn.Conv2d(512, 2 * 64, 4, stride=2), nn.BatchNorm2d(2 * 64), nn.Flatten(),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Unflatten(1, (64, 1, 1)),
        nn.ConvTranspose2d(64, 512, 3, stride=2), nn.ReLU(inplace=True),
        nn.ConvTranspose2d(512, 256, 3, stride=2), *relu(256),
        nn.ConvTranspose2d(256, 128, 2, stride=2), *relu(128),
        nn.ConvTranspose2d(128, 1, 2, stride=2), nn.BatchNorm2d(1),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 128, 4, stride=2), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(128, 256, 4, stride=2), *leaky(256),
        nn.Conv2d(256, 512, 4, stride=2), *leaky(512),
        nn.Conv2d(512, 1, 1), nn.BatchNorm2d(1),
    )  # fmt: skip
    return [encoder, decoder, discriminator]


def allow_going_back_twice() -> None:
    """Compiled networks keep the memory of a pass, which else they give away as they go back."""
    from torch._functorch import config

    config.donated_buffer = False
