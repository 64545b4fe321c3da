"""Two ways to feed the coursework's LSTM wrongly, kept to explain published figures.

Not for use: `unskew.models.lstm` is the network. Both train without an error message, which is
why they are easy to write and hard to notice.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from unskew.models.lstm import LSTM, rows, unfused_lstm


class MisreadLSTM(LSTM):
    """The LSTM of `unskew.models.lstm`, fed in one of two wrong ways.

    Parameters
    ----------
    reading:
        "scrambled": the image (3, H, W) is reshaped to (H, 3·W) without transposing, so a step
        holds three neighbouring rows of one channel, and the channels follow one another in
        time.
        "batch_as_time": an `nn.LSTM` without `batch_first` is given (B, H, 3·W), so it takes
        the batch for time and the rows for the batch; read at `[:, -1]`, the network sees the
        last row of each image and, through its state, the images before it in the batch.

    Raises
    ------
    ValueError: `reading` is neither.
    """

    side_by_side: ClassVar[bool] = True
    kernels: ClassVar[tuple[str, ...]] = ()
    reads_batch: ClassVar[bool] = True  # in the second reading; the first loses nothing by it

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        *,
        reading: Literal["scrambled", "batch_as_time"],
        hidden_size: int = 256,
        hidden: int = 256,
    ) -> None:
        super().__init__(num_classes, image_size, hidden_size=hidden_size, hidden=hidden)
        if reading not in ("scrambled", "batch_as_time"):
            raise ValueError(f"reading is 'scrambled' or 'batch_as_time', not {reading!r}")
        self.reading = reading
        self.recurrent.batch_first = reading == "scrambled"

    def features(self, images: Tensor) -> Tensor:
        if self.reading == "scrambled":
            height, width = images.shape[2:]
            sequence = images.contiguous().reshape(len(images), height, 3 * width)
        else:
            sequence = rows(images)
        outputs = unfused_lstm(sequence, self.recurrent)
        features: Tensor = self.hidden(outputs[:, -1])
        return features
