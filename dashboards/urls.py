"""Every page, fragment and chart by name. One URL for each fragment; what asks a store has a URL of its own."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from dashboards import overview, sign_in

urlpatterns = [
    path("", overview.page, name="overview"),
    path("login/", sign_in.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
