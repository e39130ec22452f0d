"""What the files of an exported folder are called."""

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CARD = "README.md"
DATASET, DIAGNOSTICS, PICTURE, TRANSFER = "dataset.json", "diagnostics.json", "diagnostics.png", "transfer.json"
TRAINING, EVALUATION, RESULTS = "training.json", "evaluation.json", "results.json"
CURVE, VIDEO = "learning_curve.png", "replay.mp4"
