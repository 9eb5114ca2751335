"""What is measured of pictures, of the judge, and of what was learned without labels.

Plain NumPy: all functions take and return what lies in the CPU's memory.
"""

from tinya2i.metrics.agreement import agreement, confusion, table, wilson
from tinya2i.metrics.calibration import ece, nll
from tinya2i.metrics.distances import nearest, squared_distances
from tinya2i.metrics.distributions import frechet, prdc
from tinya2i.metrics.diversity import deviation, diversity, pairwise, share, vendi
from tinya2i.metrics.probe import linear_probe
from tinya2i.metrics.retrieval import (
    ndcg_at,
    ndcg_chance,
    nearest_k,
    rank_of,
    recall_at,
    recall_chance,
)

__all__ = [
    "agreement",
    "confusion",
    "deviation",
    "diversity",
    "ece",
    "frechet",
    "linear_probe",
    "ndcg_at",
    "ndcg_chance",
    "nearest",
    "nearest_k",
    "nll",
    "pairwise",
    "prdc",
    "rank_of",
    "recall_at",
    "recall_chance",
    "share",
    "squared_distances",
    "table",
    "vendi",
    "wilson",
]
