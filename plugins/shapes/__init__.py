"""The synthetic world of the datasets `shapes…`: 16 silhouettes, 16 textures, scenes, styles and corruptions.

Everything is made from a seed and nothing is stored. All arithmetic is on integers, or on float64 with + - * /, square
roots and comparisons alone, which IEEE 754 rounds the same way everywhere: no sine, exponential or matrix product of a
library, whose last digit may depend on the processor. So every image is equal, bit for bit, on every x86 machine.
"""
