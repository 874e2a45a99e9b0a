"""Signing in."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "This name and password do not belong together. Check both; capital letters count.",
        "inactive": "This account is switched off. Ask an administrator of Fireline.",
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"


@method_decorator(login_not_required, name="dispatch")
class Login(LoginView):
    template_name = "login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A polled fragment of a session that has ended: the page goes to the login form, not into the fragment.
        if request.headers.get("HX-Request"):
            return HttpResponseClientRedirect(f"{reverse('login')}?{urlencode({'next': self._page()})}")
        return super().dispatch(request, *args, **kwargs)

    def _page(self) -> str:
        return getattr(self.request, "htmx").current_url_abs_path or reverse("overview")  # noqa: B009

    def form_invalid(self, form: forms.BaseForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)
