"""Every page, fragment and chart by name. One URL for each fragment; what asks a store has a URL of its own."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from dashboards import changes, flows, health, overview, search, sign_in

urlpatterns = [
    path("", overview.page, name="overview"),
    path("live/", overview.live, name="overview-live"),
    path("login/", sign_in.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("flows/", flows.list_page, name="flows"),
    path("flows/new/", flows.new, name="flow-new"),
    path("flows/<slug:slug>/", flows.page, name="flow"),
    path("flows/<slug:slug>/edit/", flows.edit, name="flow-edit"),
    path("flows/<slug:slug>/archive/", flows.archive, name="flow-archive"),
    path("changes/", changes.page, name="changes"),
    path("search", search.page, name="search"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
