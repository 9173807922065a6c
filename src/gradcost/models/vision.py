"""Vision-language models: Qwen2-VL and what is built like it.

Every image becomes a square of one size, so that it makes as many tokens in every row: each
step then costs the same. What of the model is frozen below all that is trained, the vision
tower and the embeddings, is run once for a batch, however often its loss is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gradcost.models.answers import AnswerModel
from gradcost.tasks.images import Images
from gradcost.tasks.tokens import Placeholder, Split

if TYPE_CHECKING:
    from PIL.Image import Image

Inputs = dict[str, Tensor]


class ImageProcessor:
    """A model's own image processor, for squares of one size.

    Attributes:
        size: pixels of a side.
        placeholder: what stands for an image in a row of tokens.
    """

    def __init__(self, where: Mapping[str, Any], size: int) -> None:
        """Load it.

        Args:
            where: what `gradcost.models.store.locate` says of the model.
            size: pixels of a side, before the model's own rounding to whole tokens.

        Raises:
            ValueError: if the model takes no images.
        """
        from transformers import AutoConfig, AutoImageProcessor

        token = getattr(AutoConfig.from_pretrained(**where), "image_token_id", None)
        if token is None:
            raise ValueError(
                f"{where['pretrained_model_name_or_path']} takes no images: its config has no "
                "image_token_id; remove image_size from the model's entry"
            )
        # Pillow's, which needs no torchvision and rounds alike everywhere
        self._processor: Any = AutoImageProcessor.from_pretrained(**where, backend="pil")
        self.size = size
        patches = self._processor.get_number_of_image_patches(size, size, {})
        self.placeholder = Placeholder(token, patches // self._processor.merge_size**2)

    def pixels(self, pictures: Sequence[Image]) -> tuple[Tensor, Tensor]:
        """Patches (images x patches, numbers of a patch) and the grid of each image (images, 3)."""
        squares = [picture.resize((self.size, self.size)) for picture in pictures]
        found = self._processor(images=squares, return_tensors="pt")
        return found["pixel_values"], found["image_grid_thw"]


class VisionAnswerModel(AnswerModel):
    """A vision-language model that returns the logits that predict the answers."""

    def __init__(
        self, model: nn.Module, length: int, processor: ImageProcessor, images: Images
    ) -> None:
        super().__init__(model, length)
        self._processor, self._images = processor, images
        peft: Any = model
        whole = peft.get_base_model() if hasattr(peft, "get_base_model") else peft
        # not as a submodule: it is one already
        self._inside = (whole.model,)
        below = [whole.model.visual, whole.get_input_embeddings()]
        self._frozen = not any(value.requires_grad for part in below for value in part.parameters())

    def inputs(self, batch: Split) -> Inputs:
        """Of ids, mask and images, what becomes of them below all that is trained."""
        shown = self.shown(batch)
        return self._embedded(shown) if self._frozen else shown

    def shown(self, batch: Split) -> Inputs:
        """Ids, mask and images."""
        assert batch.images is not None
        pictures = [self._images[number] for number in batch.images.tolist()]
        pixels, grid = self._processor.pixels(pictures)
        return {
            **batch.inputs(),
            "pixel_values": pixels.to(batch.ids.device),
            "image_grid_thw": grid.to(batch.ids.device),
            "mm_token_type_ids": (batch.ids == self._processor.placeholder.token).int(),
        }

    @torch.no_grad()
    def _embedded(self, shown: Inputs) -> Inputs:
        (inside,) = self._inside
        ids, mask, grid = shown["input_ids"], shown["attention_mask"], shown["image_grid_thw"]
        seen = inside.get_image_features(shown["pixel_values"], grid, return_dict=True)
        embeds = inside.get_input_embeddings()(ids)
        of_images = torch.cat(tuple(seen.pooler_output)).to(embeds.dtype)
        places = (ids == self._processor.placeholder.token)[..., None]
        positions, _ = inside.get_rope_index(
            ids, shown["mm_token_type_ids"], image_grid_thw=grid, attention_mask=mask
        )
        return {
            "inputs_embeds": embeds.masked_scatter(places, of_images),
            "attention_mask": mask,
            "position_ids": positions,
        }
