"""Datasets: images, targets, stable sample ids, label spaces; each owns its resize and crop.

The smallest is `sample_photos`. `_trees` lists folders of images, `_imagenet_classes` lists the 1,000 classes;
`shapes/` is a family of generated datasets.
"""
