"""Keep the losses as they are now: `python -m tests.golden.rewrite`, with networks to take only
those. Prints what changes. Losses that are near enough to the kept ones stay as they were kept, so
that another processor rewrites nothing.
"""

import sys

import torch

from tests.golden.kept import first_apart, read, rounded, write
from tests.golden.runs import NETWORKS, losses, recipe, remedies


def rewrite(network: str) -> None:
    kept, now = read(network), {}
    for remedy in remedies(network):
        found = losses(recipe(network, remedy))
        now[remedy] = rounded(found)
        if remedy not in kept:
            print(f"{network} × {remedy}: new")
            continue
        step = first_apart(network, found, kept[remedy])
        if step is None:
            now[remedy] = kept[remedy]
        else:
            print(
                f"{network} × {remedy}: other from step {step + 1} on, "
                f"{kept[remedy][step]} was kept and {now[remedy][step]} is found"
            )
    for remedy in kept.keys() - now.keys():
        print(f"{network} × {remedy}: no longer run")
    write(network, now)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or NETWORKS:
        rewrite(name)
