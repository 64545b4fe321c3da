"""The package's own networks by name: which module has each, and what it is called there."""

NETWORKS = {
    "cnn": ("unskew.models.cnn", "CNN"),
    "lstm": ("unskew.models.lstm", "LSTM"),
    "lstm_misread": ("unskew.models.lstm_misread", "MisreadLSTM"),
    "resnet32": ("unskew.models.resnet", "ResNet32"),
    "whitened_cnn": ("unskew.models.whitened_cnn", "WhitenedCNN"),
}
"""Imported when they are asked for."""
