"""Dataset `imagenet-x`: the ImageNet validation set, and what is unusual about each image.

Idrissi et al.: "ImageNet-X: Understanding Model Mistakes with Factor of Variation Annotations" (ICLR 2023, arXiv
2211.01866). People compared each image with three prototypes of its class. A dataset of its own, so that stored numbers
on `imagenet` keep their identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, Release, Sample, hookimpl

from ._imagenet_x import ANNOTATED, FACTORS, METACLASSES, annotated_images
from ._validation_images import number_of
from .imagenet import ImageNet


@dataclass(frozen=True, kw_only=True)
class ImageNetX(ImageNet):
    """The annotated images of `imagenet`, with the attributes `factor`, `factors`, `metaclass` and `prototype`.

    `factor`: what differs most from the prototypes of the class, one of 16 names, empty for two images; `factors`: all
    that differs, names with spaces between. `metaclass`: one of 17 groups of classes. `prototype`: ``1`` for the
    prototypes, which error ratios leave out.
    """

    name: str = "imagenet-x"
    attributes: ClassVar[tuple[str, ...]] = ("factor", "factors", "metaclass", "prototype")

    def attribute_values(self) -> Mapping[str, tuple[str, ...]]:
        """The 16 factors, and the 17 groups of classes."""
        return {"factor": FACTORS, "factors": FACTORS, "metaclass": METACLASSES}

    def release(self) -> Release:
        """The images are those of `imagenet`; the annotations come with the package imagenet-x."""
        return Release(
            images=ANNOTATED,
            license="images: ImageNet terms of access; annotations: CC BY-NC 4.0",
            page="https://image-net.org/download-images.php",
        )

    def samples(self, root: Path) -> list[Sample]:
        """The images below `root` that are annotated.

        Raises:
            DatasetError: as `imagenet`; a file is not named as a validation image; or the package imagenet-x is not
                installed, or damaged.
        """
        annotated_images()  # what is wrong with the package is said before thousands of files are listed
        return self.with_factors(super().samples(root))

    def with_factors(self, samples: Iterable[Sample]) -> list[Sample]:
        """Those of the validation images, whose files are not needed, that are annotated. Raises as `samples`."""
        annotated = annotated_images()
        pairs = ((image, annotated.get(self._number(image))) for image in samples)
        return [replace(image, attributes=tuple(annotation[1:])) for image, annotation in pairs if annotation]

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Remarks unless all 48,868 annotated images are present, each in the folder of its class."""
        if len(samples) != ANNOTATED:
            yield f"{len(samples):,} of {ANNOTATED:,} annotated images (partial tree)"
        annotated = annotated_images()
        strangers = [image for image in samples if image.targets != (annotated[self._number(image)].target,)]
        if strangers:
            text = f"{len(strangers):,} of {len(samples):,} images are not in the folder of their annotated class"
            yield f"{text}, as {strangers[0].id}"

    def _number(self, image: Sample) -> int:
        number = number_of(image.id.rpartition("/")[2])
        if number is None:
            raise DatasetError(
                f"dataset {self.name!r}: {image.path} is not named as a validation image, ILSVRC2012_val_00000001.JPEG "
                "to …50000.JPEG, so it has no annotation",
                remedy=f"--data {self.name}=DIR with the original names, or measure dataset 'imagenet'",
            )
        return number


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set with the factors of ImageNet-X."""
    return [ImageNetX()]
