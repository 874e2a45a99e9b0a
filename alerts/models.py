"""Alert states and their transitions, incidents with examples and timelines, and the outbox of notifications."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from alerts import headline
from slo.models import AlertRule, Flow, Objective
from telemetry.secrets import SealedField


class IncidentQuerySet(models.QuerySet["Incident"]):
    def unresolved(self) -> "IncidentQuerySet":
        return self.filter(state__in=(Incident.State.OPEN, Incident.State.ACKNOWLEDGED))


class Incident(models.Model):
    """What people work on: the alerts of one flow that burn together."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"
        REVIEWED = "reviewed", "Reviewed"

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="incidents")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    # The worst severity it has had; a ticket that starts to page is a paging incident from then on.
    severity = models.CharField(max_length=10, choices=AlertRule.Severity)
    title = models.CharField(max_length=300)
    # The end of the slice that fired; the onset is earlier.
    opened_at = models.DateTimeField()
    # When the bad requests began to rise, as far as the ledger tells; see evidence.onset.
    onset_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    # When to look for (more) example requests; None when done. Schedule and lease in one.
    examples_due_at = models.DateTimeField(null=True, blank=True)
    examples_tries = models.PositiveSmallIntegerField(default=0)
    examples_error = models.TextField(blank=True)
    # When to investigate (again), as above; None when the last explanation is written.
    explain_due_at = models.DateTimeField(null=True, blank=True)
    explain_tries = models.PositiveSmallIntegerField(default=0)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["flow"],
                condition=models.Q(state__in=("open", "acknowledged")),
                name="one_unresolved_incident_per_flow",
            )
        ]
        indexes = [
            models.Index(fields=["-opened_at"], name="incident_recent"),
            models.Index(
                fields=["examples_due_at"],
                condition=models.Q(examples_due_at__isnull=False),
                name="incident_examples_due",
            ),
            models.Index(
                fields=["explain_due_at"],
                condition=models.Q(explain_due_at__isnull=False),
                name="incident_explain_due",
            ),
        ]

    def __str__(self) -> str:
        return f"INC-{self.pk}"

    @property
    def since(self) -> datetime:
        """When it began: the onset, or the alert when no onset is known."""
        return self.onset_at or self.opened_at

    @property
    def what(self) -> str:
        """The title without its time of day, which stands in UTC; a page prints `since` in the reader's zone."""
        return self.title.removesuffix(headline.ending(self.since))


class Cursor(models.Model):
    """How far the alerts of an objective have been evaluated; moves only forward, by a conditional update."""

    objective = models.OneToOneField(Objective, on_delete=models.CASCADE, related_name="cursor")
    # The generation whose ledgers they were shown; another one starts anew at its newest slice.
    generation = models.PositiveIntegerField()
    # The end of the last slice they have seen.
    evaluated_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.objective_id} until {self.evaluated_until:%F %T}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def firing(self) -> "AlertQuerySet":
        return self.filter(state=Alert.State.FIRING)

    def burning(self) -> "AlertQuerySet":
        """Those of tiers: what incidents are made of."""
        return self.filter(tier__kind=AlertRule.Kind.BURN)


class Alert(models.Model):
    """The state of one alert rule for one group of its objective; moves by conditional update, only forward in time.

    There is no row while nothing ever happened: then the state is inactive.
    """

    class State(models.TextChoices):
        INACTIVE = "inactive", "Inactive"
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    tier = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    # The group's text, as its ledger has it; empty without grouping.
    group = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.INACTIVE)
    since = models.DateTimeField(null=True)
    # Set while unmeasured: the state neither fires nor resolves.
    frozen_since = models.DateTimeField(null=True)
    # Set while firing and the short window is calm; it resolves when that has lasted long enough.
    calm_since = models.DateTimeField(null=True)
    # Set while a page of the same objective and group fires: a ticket then says nothing of its own.
    silenced_since = models.DateTimeField(null=True)
    # The reading behind the state when the row was last written: see alerts.evaluation.numbers_of.
    numbers = models.JSONField(default=dict)
    # The sentence that says why it does (not) fire.
    reason = models.CharField(max_length=300, blank=True)
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts")

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tier", "group"], name="alert_once")]
        # Every round asks which ones fire: few of all that ever did.
        indexes = [models.Index(fields=["tier"], condition=models.Q(state="firing"), name="alert_firing")]

    def __str__(self) -> str:
        return f"{self.tier}{self.group} {self.state}"


class Transition(models.Model):
    """A recorded change of an alert's state, with the numbers that caused it; the only cause of a notification."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="transitions")
    incident = models.ForeignKey(Incident, null=True, on_delete=models.SET_NULL, related_name="transitions")
    at = models.DateTimeField()
    old = models.CharField(max_length=10, choices=Alert.State)
    new = models.CharField(max_length=10, choices=Alert.State)
    numbers = models.JSONField(default=dict)
    reason = models.CharField(max_length=300)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("at",)
        constraints = [models.UniqueConstraint(fields=["alert", "at"], name="transition_once")]

    def __str__(self) -> str:
        return f"{self.old} → {self.new} at {self.at:%F %T}"


class Example(models.Model):
    """One request kept with an incident: its spans and log lines outlive the store they came from."""

    class Role(models.TextChoices):
        BAD = "bad", "Failed"
        SLOW = "slow", "Slow"
        NORMAL = "normal", "Normal, for comparison"

    class Found(models.TextChoices):
        EXEMPLAR = "exemplar", "an exemplar of the objective's own series"
        SEARCH = "search", "a search in the trace store"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="examples")
    trace_id = models.CharField(max_length=32)
    role = models.CharField(max_length=10, choices=Role)
    found_by = models.CharField(max_length=10, choices=Found)
    started_at = models.DateTimeField()
    duration = models.DurationField()
    # What went wrong, in a few words: the deepest failing or slowest span.
    what = models.CharField(max_length=200, blank=True)
    # The span that `what` is about; empty when no span tells.
    span_id = models.CharField(max_length=16, blank=True)
    # The attributes that tell examples apart: {"payment.method": "card", "region": "eu-west"}.
    part = models.JSONField(default=dict)
    # The frozen evidence: see alerts.examples for the shape.
    spans = models.JSONField(default=list)
    lines = models.JSONField(default=list)
    kept_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("role", "-started_at")
        constraints = [models.UniqueConstraint(fields=["incident", "trace_id"], name="example_once")]

    def __str__(self) -> str:
        return self.trace_id


class Explanation(models.Model):
    """What the investigators found at a moment. Stored whole, so that it outlives the telemetry it stands on."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="explanations")
    # 1 when the incident opened; the highest is the one to read.
    version = models.PositiveSmallIntegerField()
    made_at = models.DateTimeField()
    # None while investigators are at work.
    took = models.DurationField(null=True)
    # The story in a sentence or two; empty when there is not enough evidence for one.
    headline = models.TextField(blank=True)
    # The rest as `evidence.explanation` gives it: clauses, findings, culprits, what was skipped and why.
    content = models.JSONField(default=dict)

    class Meta:
        ordering = ("-version",)
        constraints = [models.UniqueConstraint(fields=["incident", "version"], name="explanation_once")]

    def __str__(self) -> str:
        return f"{self.incident_id}, version {self.version}"


class Verdict(models.Model):
    """What a person says of a finding: right or wrong. Kept, to see how far findings can be trusted."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="verdicts")
    # What the finding asks and is about, so that it is the same finding in the next version.
    finding = models.CharField(max_length=64)
    right = models.BooleanField()
    # What it said and how sure it was, as it was judged.
    statement = models.TextField()
    confidence = models.FloatField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("at",)
        constraints = [models.UniqueConstraint(fields=["incident", "finding", "author"], name="verdict_once")]

    def __str__(self) -> str:
        return f"{self.finding}: {'right' if self.right else 'wrong'}"


class TimelineEntry(models.Model):
    """One event in an incident's history, made by Fireline or by a person."""

    class Kind(models.TextChoices):
        PAGE = "page", "Alert"
        FIRELINE = "fl", "Fireline"
        PERSON = "person", "Person"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind)
    # An icon of static/icons.svg, without the "i-".
    icon = models.CharField(max_length=20, default="wave")
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    detail = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Names what Fireline wrote about, so that it is written once; empty for a person's entry.
    cause = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ("-at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "cause"], condition=~models.Q(cause=""), name="timeline_cause_once"
            )
        ]

    def __str__(self) -> str:
        return self.title


class Channel(models.Model):
    """Where notifications go."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    # {"url": …} or {"to": "a@example.org, b@example.org"}; a webhook's address is often a secret.
    config = SealedField(default=dict)
    enabled = models.BooleanField(default=True)
    last_sent_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One notification owed to one channel: the outbox row. `next_try_at` is schedule, backoff and lease in one."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed for good"

    class Event(models.TextChoices):
        OPENED = "opened", "Opened"
        RAISED = "raised", "Raised to a page"
        RESOLVED = "resolved", "Resolved"
        # Of budget and no-data rules, which belong to no incident.
        NOTICED = "noticed", "Noticed"
        CLEARED = "cleared", "Cleared"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    # None for what a budget or no-data rule says.
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=10, choices=Event)
    # The transition that caused it: one notification per cause and channel, however often the cause is handled.
    transition = models.ForeignKey(Transition, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "transition", "event"], name="delivery_once")]
        indexes = [models.Index(fields=["next_try_at"], condition=models.Q(state="waiting"), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.event} to {self.channel}: {self.state}"
