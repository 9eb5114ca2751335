"""The networks of the talk, those it rests on, and one beside them, each with its training step."""

from tinya2i.models.autoencoder import Autoencoder
from tinya2i.models.correspondence import Correspondence
from tinya2i.models.cvae import CVAE
from tinya2i.models.lenet5 import LeNet5
from tinya2i.models.retrieval import Retrieval
from tinya2i.models.vae import VAE
from tinya2i.models.vaegan import VAEGAN

__all__ = ["CVAE", "VAE", "VAEGAN", "Autoencoder", "Correspondence", "LeNet5", "Retrieval"]
