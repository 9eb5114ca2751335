"""What is measured of pictures and of the judge: agreement, diversity, distributions, calibration.

Plain NumPy: all functions take and return what lies in the CPU's memory.
"""

from tinya2i.metrics.agreement import agreement, confusion, table, wilson
from tinya2i.metrics.calibration import ece, nll
from tinya2i.metrics.distances import nearest, squared_distances
from tinya2i.metrics.distributions import frechet, prdc
from tinya2i.metrics.diversity import deviation, diversity, pairwise, share, vendi

__all__ = [
    "agreement",
    "confusion",
    "deviation",
    "diversity",
    "ece",
    "frechet",
    "nearest",
    "nll",
    "pairwise",
    "prdc",
    "share",
    "squared_distances",
    "table",
    "vendi",
    "wilson",
]
