"""Training: tensors and data sets in, progress values out."""
