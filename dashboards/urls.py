"""Every page, fragment and chart by name. One URL for each fragment; what asks a store has a URL of its own."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from dashboards import changes, configuration, flow_charts, flows, health, overview, search, sign_in

urlpatterns = [
    path("", overview.page, name="overview"),
    path("live/", overview.live, name="overview-live"),
    path("login/", sign_in.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("flows/", flows.list_page, name="flows"),
    path("flows/new/", flows.new, name="flow-new"),
    path("flows/<slug:slug>/", flows.page, name="flow"),
    path("flows/<slug:slug>/live/", flows.live, name="flow-live"),
    path("flows/<slug:slug>/chart/<slug:kind>/", flow_charts.chart, name="flow-chart"),
    path("flows/<slug:slug>/edit/", flows.edit, name="flow-edit"),
    path("flows/<slug:slug>/archive/", flows.archive, name="flow-archive"),
    path("changes/", changes.page, name="changes"),
    path("search", search.page, name="search"),
    path("settings/", configuration.page, name="settings"),
    path("settings/sources/new/", configuration.source_new, name="source-new"),
    path("settings/sources/<int:pk>/", configuration.source_edit, name="source-edit"),
    path("settings/sources/<int:pk>/test/", configuration.source_test, name="source-test"),
    path("settings/channels/new/", configuration.channel_new, name="channel-new"),
    path("settings/channels/<int:pk>/", configuration.channel_edit, name="channel-edit"),
    path("settings/channels/<int:pk>/test/", configuration.channel_test, name="channel-test"),
    path("settings/tokens/new/", configuration.token_new, name="token-new"),
    path("settings/tokens/<int:pk>/delete/", configuration.token_delete, name="token-delete"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
