"""What numbers of several seeds mean: arrays in, numbers out, with numpy and scipy only.

Accuracies are fractions from 0 to 1. A matrix of right and wrong has a row a seed and a column an image.
Only `scipy.special` is imported: `scipy.stats` takes three times as long to load.
"""
