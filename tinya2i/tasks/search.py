"""Search: pictures by sounds, sounds by pictures, each by its own kind; and how well that goes."""

from typing import Any

import numpy as np

from tinya2i import metrics

FIRST = (1, 5, 10)  # k of recall@k
DEEP = 30  # k of nDCG@k, as in "Objects that Sound"
RECALL = ("rate", "chance", "correct", "count", "interval", "per_digit")


def unit(F: np.ndarray) -> np.ndarray:
    """F / |F|, row by row: features that were made to be compared are so already; 0 stays 0."""
    return F / np.maximum(np.linalg.norm(F, axis=1, keepdims=True), 1e-12)


def directions(P: np.ndarray, S: np.ndarray, digits: np.ndarray, said: np.ndarray) -> dict:
    """name -> `table`, of embeddings of pictures P (n, d) and of sounds S (m, d)

    digits (n,) are shown, said (m,) are said. Every picture and every sound is a query once, and
    what is found counts if it is of the query's digit. In search of its own kind a query does not
    find itself. Where the two kinds have not equally many numbers there is no way across.
    """
    sides = {"audio": (S, said), "image": (P, digits)}
    across = S.shape[1] == P.shape[1]
    return {
        f"{a}_to_{b}": table(*search(*sides[a], *sides[b], own=a == b))
        for a, b in (("audio", "image"), ("image", "audio"), ("image", "image"), ("audio", "audio"))
        if a == b or across
    }


def search(
    Q: np.ndarray, asked: np.ndarray, X: np.ndarray, shown: np.ndarray, own: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """What queries Q (n, d) for digits asked (n,) find by distance in X (m, d) of digits shown (m,)

    Returns what `table` takes. Queries with nothing to find are left out. own: see `nearest_k`.
    """
    relevant = np.bincount(shown, minlength=10)[asked] - own
    asks, size = relevant > 0, len(X) - own
    found = metrics.nearest_k(Q, X, min(DEEP, size), own)[asks]
    return shown[found], asked[asks], relevant[asks], size


def table(found: np.ndarray, asked: np.ndarray, relevant: np.ndarray, size: int) -> dict[str, Any]:
    """{"queries", "database", "ndcg_30", "recall_1", "recall_5", "recall_10"}, JSON-able

    found (n, k): the digits of the first k <= 30 found for each query, best first; asked (n,): its
    own digit; relevant (n,): how many of the `size` items are of it. Each entry has its "rate" and
    the "chance" of a random order; a recall also the Wilson "interval" over queries, which are
    unique clips or unique pictures, and "per_digit" the same for those of each digit.
    """
    R, deep = found == asked[:, None], found.shape[1]
    result: dict[str, Any] = {
        "queries": len(asked),
        "database": size,
        f"ndcg_{DEEP}": {
            "rate": float(metrics.ndcg_at(R, relevant, deep).mean()),
            "chance": float(metrics.ndcg_chance(relevant, size, deep).mean()),
        },
    }
    for k in FIRST:
        depth = min(k, deep)
        hit = metrics.recall_at(R, depth)
        row = metrics.agreement(asked, np.where(hit, asked, found[:, 0]))
        row["chance"] = float(metrics.recall_chance(relevant, size, depth).mean())
        result[f"recall_{k}"] = {key: row[key] for key in RECALL}
    return result


def report(tables: dict[str, Any]) -> str:
    """The tables as text, a line each, in per cent with the chance level behind."""
    names = [f"ndcg_{DEEP}", *(f"recall_{k}" for k in FIRST)]
    heads = "".join(f"{name.replace('_', '@'):>19}" for name in names)
    lines = [f"{'% (by chance)':16}{heads}   queries  among"]
    for direction, row in tables.items():
        cells = [f"{100 * row[n]['rate']:.1f} ({100 * row[n]['chance']:.1f})" for n in names]
        counts = f"{row['queries']:10}{row['database']:7}"
        lines.append(f"{direction:16}" + "".join(f"{cell:>19}" for cell in cells) + counts)
    return "\n".join(lines)
