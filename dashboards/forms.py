"""How every form of Fireline looks: one class on the controls, ids that tie help and errors to them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model

_PLAIN = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple, forms.HiddenInput)


class Styled(forms.BaseForm):
    """Mixed into a form: gives its controls the stylesheet's class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, _PLAIN):
                own = field.widget.attrs.get("class", "")
                field.widget.attrs["class"] = f"input {own}".strip()


if TYPE_CHECKING:

    class StyledModelForm[M: Model](Styled, forms.ModelForm[M]):
        """A styled form of a model."""

else:

    class StyledModelForm(Styled, forms.ModelForm):
        """A styled form of a model; Django's own cannot be subscripted, the types' can."""

        def __class_getitem__(cls, model):
            return cls
