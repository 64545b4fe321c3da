"""The networks: drawn, and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from unskew.models.layer_row import LayerRow
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Paragraph, Section, Table
from unskew.report.figures.network import network_diagram, stages


def networks_section(context: Context) -> Section:
    """Every network of the study, from its own layers."""
    words, blocks = context.words, list[Block]()
    image_shape = context.results.data.image_shape
    for name, model in context.results.models.items():
        layers = model.layers
        drawn = ", ".join(kind for kind, _ in stages(layers))
        plain = name.split("(")[0]
        shown = context.model(plain) + name[len(plain) :]
        blocks.append(Heading(shown))
        blocks.append(Paragraph(words.network(plain, model.description.replace("`", ""))))
        slug = "".join(c if c.isalnum() else "-" for c in name).strip("-")
        blocks.append(
            context.draw(
                f"network-{slug}",
                network_diagram(layers, image_shape, words("networks.image")),
                words("networks.figure_caption", model=shown),
                words("networks.figure_alt", model=shown, layers=drawn),
            )
        )
        header = tuple(words("networks.header").split("|"))
        caption = words("networks.caption", model=shown)
        rows = _rows(layers, words("networks.total"))
        blocks.append(Table(header, rows, caption, text_columns=2, sum_row=True))
    return Section(words("section.networks"), tuple(blocks), "networks")


def _rows(layers: Sequence[LayerRow], total: str) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            layer.name,
            layer.kind,
            "×".join(map(str, layer.output_shape)),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
        )
        for layer in layers
    ]
    parameters = sum(layer.parameters for layer in layers)
    products = sum(layer.multiply_adds for layer in layers)
    return (*rows, (total, "", "", f"{parameters:,}", f"{products:,}"))
