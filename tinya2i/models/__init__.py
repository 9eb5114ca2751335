"""The networks of the talk, each with its training step."""

from tinya2i.models.autoencoder import Autoencoder
from tinya2i.models.lenet5 import LeNet5
from tinya2i.models.vae import VAE
from tinya2i.models.vaegan import VAEGAN

__all__ = ["VAE", "VAEGAN", "Autoencoder", "LeNet5"]
