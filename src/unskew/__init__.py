"""Train image classifiers when some classes have few images, and tell honestly what helped.

Importing this package imports nothing heavy: every public name is looked up on first use.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "ImageSet": "unskew.data.imageset",
    "Splits": "unskew.data.imageset",
    "open_data": "unskew.data.sources",
    "StepSkew": "unskew.data.skew",
    "ExponentialSkew": "unskew.data.skew",
    "Recipe": "unskew.training.recipe",
    "Trainer": "unskew.training.trainer",
    "Remedy": "unskew.remedies.base",
    "RemedyLoss": "unskew.remedies.alone",
    "RemedySampler": "unskew.remedies.alone",
    "adjust_logits": "unskew.remedies.alone",
    "Evaluation": "unskew.evaluation.evaluation",
    "evaluate_logits": "unskew.evaluation.evaluation",
    "Network": "unskew.models.base",
    "use_plugins": "unskew.plugins",
    "Study": "unskew.study.spec",
    "UserError": "unskew.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'unskew' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
