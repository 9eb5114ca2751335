"""Gradient checks that you can run: is a hand-written backward the derivative of its forward?

    from tinya2i import gradcheck
    errors = gradcheck.check_layer(layer, X)       {"X": 3e-10, "W": 1e-10, "b": 8e-11}
    python -m tinya2i.gradcheck                    the whole library, and mutants that must fail

Every check weighs the output with a *random* cotangent. With a cotangent of ones, a BatchNorm
backward that returns zeros passes, because its true gradient is zero then. And a gradient check
sees no mistake that forward and backward share: `gradcheck.values` compares values with theory.
"""

from tinya2i.gradcheck.check import check_layer, check_loss, relative_error

__all__ = ["check_layer", "check_loss", "relative_error"]
