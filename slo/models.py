"""Flows, objectives with their alert rules, the ledgers of slices, and the maintenance that is taken out of them."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
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
        GAUGE = "gauge", "Gauge"
        FRESHNESS = "freshness", "Freshness"
        BOOL = "bool", "Up or down"

    class Marks(models.TextChoices):
        BAD = "bad", "Bad events"
        GOOD = "good", "Good events"

    class Comparison(models.TextChoices):
        AT_MOST = "lte", "at most"
        BELOW = "lt", "below"
        AT_LEAST = "gte", "at least"
        ABOVE = "gt", "above"

    class Method(models.TextChoices):
        OCCURRENCES = "occurrences", "Events"
        TIMESLICES = "timeslices", "Time slices"

    class Calendar(models.TextChoices):
        ROLLING = "", "Rolling"
        WEEK = "week", "Calendar week"
        MONTH = "month", "Calendar month"
        QUARTER = "quarter", "Calendar quarter"

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="objectives")
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    # {"team": "payments"}: what its document says beside, given back on export.
    labels = models.JSONField(default=dict, blank=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, limit_choices_to={"kind": Source.Kind.PROMETHEUS})
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.EVENTS)
    # -- Counted events: from counters and histograms
    # Events: a counter. Latency: a histogram, without `_bucket`. Empty when counted by expression.
    metric = models.CharField(max_length=200, blank=True)
    # [{"label": "service", "op": "=", "value": "checkout"}, …]: which series count at all.
    matchers = models.JSONField(default=list, blank=True)
    # Whether `bad_matchers` and `bad_expression` choose the bad events or the good ones.
    marks = models.CharField(max_length=4, choices=Marks, default=Marks.BAD)
    # Events: the counter of the marked events, if it is another one than `metric`; `bad_matchers` are then all of its.
    bad_metric = models.CharField(max_length=200, blank=True)
    # Events: what marks an event, on top of `matchers`.
    bad_matchers = models.JSONField(default=list, blank=True)
    # Latency: good means at most this many seconds. Gauge, freshness, bool: what the expression is compared with.
    threshold = models.DecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    # Free PromQL with {{window}}, when a metric with labels cannot say it; counted as the expression says.
    bad_expression = models.TextField(blank=True)
    total_expression = models.TextField(blank=True)
    # -- Judged time slices: gauge (a value), freshness (a Unix time of the last success), bool (1 is up)
    expression = models.TextField(blank=True)
    comparison = models.CharField(max_length=3, choices=Comparison, default=Comparison.AT_MOST)
    # Labels by whose values the objective is split: a ledger, a budget and alerts for each group.
    grouping = models.JSONField(default=list, blank=True)
    # -- Budget
    method = models.CharField(max_length=11, choices=Method, default=Method.OCCURRENCES)
    # Time slices of counted events: how long each is, and which ratio of good events makes it good.
    time_slice = models.DurationField(null=True, blank=True)
    time_slice_target = models.DecimalField(max_digits=12, decimal_places=11, null=True, blank=True)
    target = models.DecimalField(max_digits=12, decimal_places=11, help_text="A ratio between 0 and 1.")
    # For a calendar window its nominal length: 7, 30 or 90 days.
    window = models.DurationField(default=timedelta(days=30), validators=[MinValueValidator(timedelta(hours=1))])
    calendar = models.CharField(max_length=7, choices=Calendar, default=Calendar.ROLLING, blank=True)
    # Where a calendar window begins at midnight.
    time_zone = models.CharField(max_length=60, default="UTC")
    # -- Deciding
    # One-sided, for the long window's error ratio; None for the textbook's plain comparison.
    confidence = models.DecimalField(max_digits=4, decimal_places=3, null=True, blank=True, default=Decimal("0.95"))
    min_bad = models.PositiveSmallIntegerField(default=2)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    # -- Measuring
    # Counts the definitions of its events: each has ledgers of its own, and a worker that asked for an earlier one
    # must not append to this one's.
    generation = models.PositiveIntegerField(default=1, editable=False)
    # The end of the last slice in the generation's ledgers; moves only forward, by a conditional update.
    measured_until = models.DateTimeField(null=True, blank=True, editable=False)
    # The start of the first slice; moves only backward, by a conditional update, until it reaches the goal.
    measured_from = models.DateTimeField(null=True, blank=True, editable=False)
    history_goal = models.DateTimeField(null=True, blank=True, editable=False)
    # Why the next slice could not be asked for, or groups were left out; empty while all is well.
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, blank=True, editable=False)
    # More groups than are kept: a sentence, empty while there are not.
    overflow = models.TextField(blank=True, editable=False)

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

    @property
    def tiers(self) -> "AlertRuleQuerySet":
        return self.rules.filter(kind=AlertRule.Kind.BURN)


class AlertRuleQuerySet(models.QuerySet["AlertRule"]):
    def active(self) -> "AlertRuleQuerySet":
        return self.filter(archived_at=None)


class AlertRule(models.Model):
    """One alert rule of an objective.

    `burn`, a tier: fires when long and short window both burn faster than its factor. `budget`: fires when
    `budget_share` of the budget is spent. `no-data`: fires when nothing was measured for as long as `long`.
    """

    class Kind(models.TextChoices):
        BURN = "burn", "Burn rate"
        BUDGET = "budget", "Budget spent"
        NO_DATA = "no-data", "No data"

    class Severity(models.TextChoices):
        PAGE = "page", "Page"
        TICKET = "ticket", "Ticket"

    objective = models.ForeignKey(Objective, on_delete=models.CASCADE, related_name="rules")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.BURN)
    severity = models.CharField(max_length=10, choices=Severity)
    long = models.DurationField(default=timedelta(0))
    short = models.DurationField(default=timedelta(0))
    # The share of the whole budget that is gone when it fires, 0…1.
    budget_share = models.DecimalField(max_digits=13, decimal_places=12, default=Decimal(0))
    # A rule that was taken off keeps its alerts' history.
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        ordering = ("kind", "severity", "long", "budget_share")
        constraints = [
            models.UniqueConstraint(
                fields=["objective", "kind", "severity", "long", "short", "budget_share"],
                condition=models.Q(archived_at=None),
                name="rule_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.severity} {self.long} / {self.short}"


class Ledger(models.Model):
    """All slices of one objective, as one generation of it counted, and of one group of it."""

    objective = models.ForeignKey(Objective, on_delete=models.CASCADE, related_name="ledgers")
    generation = models.PositiveIntegerField()
    # The group as text, `{region="eu",tenant="a"}` with its labels in order; empty without grouping.
    group = models.CharField(max_length=500, blank=True)
    # {"region": "eu", "tenant": "a"}
    labels = models.JSONField(default=dict)
    # The start of the first slice, and the running totals there. Not always 0: history is read backwards, and what
    # comes before gets lower totals, so that no slice that was read once ever changes.
    begins = models.DateTimeField(null=True, editable=False)
    base_bad = models.FloatField(default=0, editable=False)
    base_total = models.FloatField(default=0, editable=False)
    base_measured = models.FloatField(default=0, editable=False)
    # Up to where its slices are merged to hours; None after history was put before it.
    thinned_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("group",)
        constraints = [models.UniqueConstraint(fields=["objective", "generation", "group"], name="ledger_once")]

    def __str__(self) -> str:
        return f"{self.objective_id}/{self.generation}{self.group}"


class Slice(models.Model):
    """What one group of an objective did in one interval. Running totals make any window the difference of two rows.

    The slices of a ledger follow each other without a gap, so that its end names a slice.
    """

    pk = models.CompositePrimaryKey("ledger", "end")
    ledger = models.ForeignKey(Ledger, on_delete=models.CASCADE, related_name="slices", db_index=False)
    start = models.DateTimeField()
    end = models.DateTimeField()
    # None: not measured, and `reason` says why. 0 of 0 is measured.
    bad = models.FloatField(null=True)
    total = models.FloatField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    # The ledger's base and the sums over this and every earlier slice; the last one in seconds.
    running_bad = models.FloatField()
    running_total = models.FloatField()
    running_measured = models.FloatField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="slice_has_length"),
            models.CheckConstraint(
                # Said of both, as a comparison with NULL refuses nothing.
                condition=models.Q(bad=None, total=None)
                | models.Q(bad__isnull=False, bad__gte=0, total__isnull=False, total__gte=models.F("bad")),
                name="slice_bad_of_total",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start:%F %T}: {self.bad} of {self.total}"


class Recording(models.Model):
    """Slices that were read to try a draft out, so that a store is not asked again with every keystroke.

    Nothing else is built on them: they may go at any time.
    """

    # A digest of what was asked: source, SLI and length of the slices.
    key = models.CharField(max_length=64)
    start = models.DateTimeField()
    end = models.DateTimeField()
    # Compressed; see `slo.recordings`.
    slices = models.BinaryField()
    fetched_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("start",)
        constraints = [models.UniqueConstraint(fields=["key", "start"], name="recording_once")]

    def __str__(self) -> str:
        return f"{self.key[:8]} from {self.start:%F %T} to {self.end:%F %T}"


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def active(self) -> "MaintenanceQuerySet":
        return self.filter(cancelled_at=None)


class Maintenance(models.Model):
    """Time that counts neither for budgets nor for alerts: once, or again and again by a recurrence rule."""

    # Everything, one flow, or one objective.
    flow = models.ForeignKey(Flow, null=True, blank=True, on_delete=models.CASCADE, related_name="maintenance")
    objective = models.ForeignKey(
        Objective, null=True, blank=True, on_delete=models.CASCADE, related_name="maintenance"
    )
    reason = models.CharField(max_length=200)
    # The first time it takes place.
    start = models.DateTimeField()
    length = models.DurationField()
    # RFC 5545 without DTSTART: "FREQ=WEEKLY;BYDAY=SU"; empty for once. Repeats at the zone's time of day.
    rule = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Taken back: as if it had never been declared. One that is over early is shortened instead.
    cancelled_at = models.DateTimeField(null=True, blank=True)

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        ordering = ("-start",)
        constraints = [
            models.CheckConstraint(condition=models.Q(length__gt=timedelta(0)), name="maintenance_has_length"),
            models.CheckConstraint(
                condition=models.Q(flow=None) | models.Q(objective=None), name="maintenance_has_one_scope"
            ),
        ]

    def __str__(self) -> str:
        return self.reason
