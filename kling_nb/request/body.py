"""A valid request: what is sent, once every field keeps the API's rules."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, ValidationError

from kling_nb.errors import InvalidRequest
from kling_nb.records import Reference
from kling_nb.request import advice, encoding, rules
from kling_nb.request.problems import near, printable, quoted

_ABSENT = {
    "negative_prompt": "the API has none; say in the prompt what you want",
    "seed": "the API has none; a rerun is a new sample",
    "resolution": "the API has none; use aspect_ratio",
    "image": "use subject_images",
    "subject_image_list": "use subject_images",
    "watermark_info": "use watermark=True or watermark=False",
}


class Request(BaseModel):
    """One request to make images, checked against every rule that is known without sending it.

    Make it with `checked`, whose errors are for people.

    Parameters
    ----------
    model_name : str
        ``kling-v2-1`` unless given; an unknown name is sent, with a warning.
    prompt : str, optional
        At most 2,500 characters.
    subject_images : tuple of Reference
        From 1 to 4.
    scene_image, style_image : Reference, optional
        One each.
    n : int
        How many images, 1 to 9.
    aspect_ratio : str, optional
        One of `kling_nb.records.ASPECT_RATIOS`.
    callback_url : str, optional
        Told of every change of status.
    external_task_id : str, optional
        The caller's own id.
    watermark : bool, optional
        Whether to also make watermarked copies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: Annotated[str, BeforeValidator(rules.model_name)] = rules.DEFAULT_MODEL
    prompt: Annotated[str | None, BeforeValidator(rules.prompt)] = None
    subject_images: Annotated[tuple[InstanceOf[Reference], ...], BeforeValidator(rules.subject_images)]
    scene_image: Annotated[InstanceOf[Reference] | None, BeforeValidator(rules.scene_image)] = None
    style_image: Annotated[InstanceOf[Reference] | None, BeforeValidator(rules.style_image)] = None
    n: Annotated[int, BeforeValidator(rules.n)] = 1
    aspect_ratio: Annotated[str | None, BeforeValidator(rules.aspect_ratio)] = None
    callback_url: Annotated[str | None, BeforeValidator(rules.callback_url)] = None
    external_task_id: Annotated[str | None, BeforeValidator(rules.external_task_id)] = None
    watermark: Annotated[bool | None, BeforeValidator(rules.watermark)] = None

    @classmethod
    def checked(cls, **fields: Any) -> Self:
        """Make a request, or say everything that is wrong with it at once.

        Parameters
        ----------
        **fields
            As of the class. None stands for unset.

        Returns
        -------
        Request

        Raises
        ------
        InvalidRequest
            One line for each problem, naming the field, the value and the rule.
        """
        given = {field: value for field, value in fields.items() if value is not None}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = [_in_words(details) for details in error.errors(include_url=False)]
        raise InvalidRequest("\n".join(problems))

    def with_(self, **changes: Any) -> Self:
        """Return a copy with other values, checked again; None leaves a field out."""
        fields = {field: getattr(self, field) for field in type(self).model_fields}
        return self.checked(**{**fields, **changes})

    @property
    def references(self) -> tuple[Reference, ...]:
        """The subjects in order, then the scene, then the style."""
        others = (self.scene_image, self.style_image)
        return (*self.subject_images, *(image for image in others if image is not None))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know although it is sent."""
        return advice.warnings(self.model_name, self.references, self.callback_url)

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 by content: see `kling_nb.request.digest_of`."""
        return encoding.digest_of(self.summary())

    def summary(self) -> dict[str, Any]:
        """Return the documented body with ``sha256:<hex>`` for each picture, and URLs as they are."""
        return self._fields(lambda image: image.url or f"{encoding.PREFIX}{image.sha256}")

    def body(self) -> dict[str, Any]:
        """Return exactly the documented body: bare base64, and what is unset left out.

        Raises
        ------
        InvalidRequest
            A reference has neither bytes nor a URL, as when it was read back from the journal.
        """
        return self._fields(lambda image: image.url or encoding.bare_base64(_bytes_of(image)))

    def encode(self) -> bytes:
        """Return `body` as JSON in UTF-8.

        Raises
        ------
        InvalidRequest
            As `body`.
        """
        return bytes(self.stream())

    def stream(self) -> encoding.Body:
        """Return the same in pieces, each encoded when it is sent.

        Raises
        ------
        InvalidRequest
            As `body`.
        """
        pictures = {image.sha256: image for image in self.references}
        return encoding.encode_summary(self.summary(), lambda sha256: _bytes_of(pictures[sha256]))

    def _fields(self, sent: Callable[[Reference], str]) -> dict[str, Any]:
        """Return the body in the documented order, with each image as `sent` gives it."""
        fields: dict[str, Any] = {
            "model_name": self.model_name,
            "prompt": self.prompt,
            "subject_image_list": [{"subject_image": sent(image)} for image in self.subject_images],
            "scene_image": self.scene_image and sent(self.scene_image),
            "style_image": self.style_image and sent(self.style_image),
            "n": self.n,
            "aspect_ratio": self.aspect_ratio,
            "callback_url": self.callback_url,
            "external_task_id": self.external_task_id,
            "watermark_info": None if self.watermark is None else {"enabled": self.watermark},
        }
        return {field: value for field, value in fields.items() if value is not None}


def _bytes_of(image: Reference) -> bytes:
    if image.data is None:
        raise InvalidRequest(
            f"{image.role} image {quoted(image.name)} has no bytes here, only its hash {image.sha256[:12]}…"
        )
    return image.data


def _in_words(details: Any) -> str:
    """Say one of pydantic's errors in plain words; our own rules have said it already."""
    field = ".".join(str(part) for part in details["loc"])
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] == "missing":
        return f"{field} is missing; give 1 to 4 images"
    if details["type"] == "extra_forbidden":
        if field in _ABSENT:
            return f"there is no field {field}: {_ABSENT[field]}"
        meant = near(field, Request.model_fields, 1)
        return f"there is no field {printable(field)}" + (f"; did you mean {meant[0]}?" if meant else "")
    return f"{field}: {details['msg']}"
