"""The source of a plugin: a dataset of 24 grey images of 32 pixels, made by code; CHANGE is where a test adds to it."""

GREYS = """
import sys
from dataclasses import dataclass, field
from pathlib import Path
from harness import Dataset, LabelSpace, Preprocessing, Sample, hookimpl

@dataclass(frozen=True, kw_only=True)
class Greys(Dataset):
    '''Grey images.'''
    name: str = "greys"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=32))

    def root(self):
        return Path(__file__).parent

    def label_space(self):
        classes = tuple(f"class-{number}" for number in range(1000))
        return LabelSpace(name="thousand", classes=classes, model_label_space="imagenet-1k", outputs=1000)

    def samples(self, root):
        return [Sample(id=f"{number:02d}", targets=(number,)) for number in range(24)]

    def image(self, sample):
        from PIL import Image
        return Image.new("RGB", (32, 32), (10 * int(sample.id),) * 3)

CHANGE

@hookimpl
def harness_datasets():
    return [Greys()]
"""
