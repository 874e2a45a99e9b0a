"""Which address leads where: each app names its own."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("telemetry.urls")),
    path("", include("dashboards.urls")),
]
