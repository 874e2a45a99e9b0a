"""Flows, objectives with their burn tiers, and the ledger of slices."""

from datetime import timedelta
from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from telemetry.models import Source


class FlowQuerySet(models.QuerySet["Flow"]):
    def active(self) -> "FlowQuerySet":
        return self.filter(archived_at=None)


class Flow(models.Model):
    """A critical user flow, and how to recognise its spans and log lines."""

    class Importance(models.IntegerChoices):
        ONE = 1, "Tier 1"
        TWO = 2, "Tier 2"
        THREE = 3, "Tier 3"

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    team = models.CharField(max_length=80, blank=True)
    importance = models.PositiveSmallIntegerField(choices=Importance, default=Importance.TWO)
    description = models.TextField(blank=True)
    runbook_url = models.URLField(max_length=500, blank=True)
    # The value of the `user.flow` attribute on its spans and log lines.
    selector = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = FlowQuerySet.as_manager()

    class Meta:
        ordering = ("importance", "name")
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="flow_name_once",
                condition=models.Q(archived_at=None),
                violation_error_message="Another flow has this name. Choose one that tells them apart.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ObjectiveQuerySet(models.QuerySet["Objective"]):
    def active(self) -> "ObjectiveQuerySet":
        return self.filter(archived_at=None, flow__archived_at=None)


class Objective(models.Model):
    """An SLO on a flow: which events count as good, how many must be, over how long."""

    class Kind(models.TextChoices):
        EVENTS = "events", "Events"
        LATENCY = "latency", "Latency"

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="objectives")
    name = models.CharField(max_length=80)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, limit_choices_to={"kind": Source.Kind.PROMETHEUS})
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.EVENTS)
    # Events: a counter. Latency: a classic histogram, without `_bucket`. Empty when counted by expression.
    metric = models.CharField(max_length=200, blank=True)
    # [{"label": "service", "op": "=", "value": "checkout"}, …]: which series count at all.
    matchers = models.JSONField(default=list, blank=True)
    # Events: what marks a bad one, on top of `matchers`.
    bad_matchers = models.JSONField(default=list, blank=True)
    # Latency: good means at most this many seconds; a bucket boundary of the histogram.
    threshold = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    # Free PromQL with {{window}}, when a metric with labels cannot say it; counted as the expression says.
    bad_expression = models.TextField(blank=True)
    total_expression = models.TextField(blank=True)
    target = models.DecimalField(max_digits=12, decimal_places=11, help_text="A ratio between 0 and 1.")
    window = models.DurationField(default=timedelta(days=30), validators=[MinValueValidator(timedelta(hours=1))])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    # The end of the last slice in the ledger; moves only forward, by a conditional update.
    measured_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Counts what restarts the ledger: a worker that asked for an earlier revision must not append to this one.
    revision = models.PositiveIntegerField(default=1, editable=False)
    # Why the next slice could not be asked for; empty while all is well.
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ObjectiveQuerySet.as_manager()

    class Meta:
        ordering = ("flow", "name")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(target__gt=0, target__lt=1),
                name="objective_target_is_a_ratio",
                violation_error_message="The target must be above 0 %% and below 100 %%.",
            ),
            models.UniqueConstraint(
                "flow",
                Lower("name"),
                name="objective_name_once",
                condition=models.Q(archived_at=None),
                violation_error_message="Another objective of this flow has this name. Choose another.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def allowed_ratio(self) -> Decimal:
        # Subtract as Decimal: in floats, 1 - 0.999 is 0.0010000000000000009.
        return 1 - self.target


class BurnTier(models.Model):
    """One alert rule of an objective: fires when long and short window both burn faster than its factor."""

    class Severity(models.TextChoices):
        PAGE = "page", "Page"
        TICKET = "ticket", "Ticket"

    objective = models.ForeignKey(Objective, on_delete=models.CASCADE, related_name="tiers")
    severity = models.CharField(max_length=10, choices=Severity)
    long = models.DurationField()
    short = models.DurationField()
    # The share of the whole budget that is gone when it fires, 0…1.
    budget_share = models.DecimalField(max_digits=7, decimal_places=6)
    # A tier that was taken off keeps its alert's history.
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("severity", "long")
        constraints = [
            models.UniqueConstraint(
                fields=["objective", "severity", "long", "short"],
                condition=models.Q(archived_at=None),
                name="tier_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.long} / {self.short}"


class Slice(models.Model):
    """What one objective did in one short interval. Running totals make any window the difference of two rows."""

    objective = models.ForeignKey(Objective, on_delete=models.CASCADE, related_name="slices")
    start = models.DateTimeField()
    end = models.DateTimeField()
    # None: not measured, and `reason` says why. 0 of 0 is measured.
    bad = models.FloatField(null=True)
    total = models.FloatField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    # Sums over this and every earlier slice of the objective.
    running_bad = models.FloatField()
    running_total = models.FloatField()
    running_measured = models.DurationField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["objective", "start"], name="slice_once"),
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="slice_has_length"),
            models.CheckConstraint(
                condition=models.Q(bad=None, total=None) | models.Q(bad__gte=0, total__gte=models.F("bad")),
                name="slice_bad_of_total",
            ),
        ]
        # Serves "the last row that ended at or before …": both ends of every window.
        indexes = [models.Index(fields=["objective", "end"], name="slice_by_end")]

    def __str__(self) -> str:
        return f"{self.start:%F %T}: {self.bad} of {self.total}"
