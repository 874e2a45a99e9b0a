// <fl-chart src="/some/data" label="Requests per second" unit="/s" poll="15"> draws what its URL answers:
//   {"as_of": …, "columns": [[t …], [v|null …], …], "series": [{"label": …, "class": …, "fill": bool}],
//    "marks": [{"at": …, "label": …, "tone": …}], "grounds": [{"from": t, "to": t, "label": …}], "limit": …, "limit_label": …, "log": bool, "from": t, "to": t}
// Times are Unix seconds. null is a gap; where every series has one, the ground says "no data".
// `unit` is "%" (ratios), "s", "×", "/s" or nothing. An error answers {"error": "a sentence"}.
// What stands inside the element is its text alternative when scripts do not run.
"use strict";

(() => {
  const NBSP = "\u00a0";
  const NARROW = 420; // px: below, marks are named under the picture
  const tokens = {
    "l-main": "--accent", "l-bad": "--bad-fill", "l-soft": "--mute-fill", "l-page": "--page-fill", "l-ok": "--ok-fill",
    s1: "--svc-1", s2: "--svc-2", s3: "--svc-3", s4: "--svc-4", s5: "--svc-5", s6: "--svc-6",
  };
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (n) => String(n).padStart(2, "0");
  const hm = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;
  const dayOf = (d) => `${d.getDate()} ${months[d.getMonth()]}`;
  const node = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function figure(value) {
    const size = Math.abs(value);
    const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    const text = value.toFixed(digits);
    const short = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
    return size >= 1000 ? Math.round(value).toLocaleString("en-GB") : short;
  }

  function seconds(value) {
    if (value === 0) return `0${NBSP}s`;
    if (value < 1) return `${figure(value * 1000)}${NBSP}ms`;
    if (value < 120) return `${figure(value)}${NBSP}s`;
    return `${figure(value / 60)}${NBSP}min`;
  }

  function print(value, unit) {
    if (value === null || value === undefined) return "no data";
    if (unit === "%") return `${figure(value * 100)}\u202f%`;
    if (unit === "s") return seconds(value);
    return `${figure(value)}${unit}`;
  }

  // A canvas needs resolved colours: custom properties keep light-dark() as it is written, `color` does not.
  function palette(element) {
    const probe = node("span");
    element.append(probe);
    const read = (token) => {
      probe.style.color = `var(${token})`;
      return getComputedStyle(probe).color;
    };
    const colours = { line: read("--line"), text: read("--text"), soft: read("--text-2"), dim: read("--text-3"),
      miss: read("--mute-soft"), ground: read("--accent-soft"), page: read("--page"), bad: read("--bad") };
    for (const [name, token] of Object.entries(tokens)) colours[name] = read(token);
    probe.remove();
    return colours;
  }

  // Stretches in which no series has a value, as [from, to] in seconds, each half a step wider than its points.
  function gaps(columns) {
    const [times, ...series] = columns;
    const empty = (i) => series.length > 0 && series.every((values) => values[i] === null || values[i] === undefined);
    const found = [];
    for (let i = 0; i < times.length; i += 1) {
      if (!empty(i)) continue;
      const first = i;
      while (i + 1 < times.length && empty(i + 1)) i += 1;
      found.push([times[Math.max(0, first - 1)], times[Math.min(times.length - 1, i + 1)]]);
    }
    return found;
  }

  // On a log scale the lines between would be most of the picture.
  function powersOfTen(plot, axis, min, max) {
    const found = [];
    for (let power = Math.floor(Math.log10(min)); 10 ** power <= max * 1.0001; power += 1) found.push(Number((10 ** power).toPrecision(1)));
    return found;
  }

  function timeLabels(plot, splits) {
    const span = plot.scales.x.max - plot.scales.x.min;
    let shown = "";
    return splits.map((t) => {
      const date = new Date(t * 1000);
      if (span > 3 * 86400) return dayOf(date);
      const day = dayOf(date);
      const label = span > 86400 / 2 && day !== shown && hm(date) === "00:00" ? day : hm(date);
      shown = day;
      return label;
    });
  }

  class Chart extends HTMLElement {
    connectedCallback() {
      if (!this.frame) this.build();
      this.abort = new AbortController();
      this.theme = matchMedia("(prefers-color-scheme: dark)");
      this.redraw = () => this.draw();
      this.theme.addEventListener("change", this.redraw);
      this.watch = new MutationObserver(this.redraw);
      this.watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
      this.sizes = new ResizeObserver(() => this.resize());
      this.sizes.observe(this.frame);
      this.load();
      const every = Number(this.getAttribute("poll"));
      if (every > 0) this.timer = setInterval(() => document.hidden || this.load(), every * 1000);
    }

    disconnectedCallback() {
      clearInterval(this.timer);
      this.abort.abort();
      this.sizes.disconnect();
      this.watch.disconnect();
      this.theme.removeEventListener("change", this.redraw);
      this.plot?.destroy();
      this.plot = null;
    }

    build() {
      this.legend = node("figcaption", "legend");
      this.frame = node("div", "plot");
      this.frame.setAttribute("role", "img");
      this.frame.setAttribute("aria-label", `${this.getAttribute("label") || "Chart"}: loading`);
      this.note = node("p", "stale-note");
      this.note.setAttribute("role", "status");
      this.note.hidden = true;
      this.facts = node("details", "figures");
      this.facts.append(node("summary", "", "The figures"), node("div", "scroll"));
      this.facts.hidden = true;
      const skeleton = node("span", "skeleton");
      this.frame.append(skeleton);
      const chart = node("figure", `chart ${this.className}`.trim());
      this.names = node("ul", "marks");
      chart.append(this.legend, this.frame, this.names);
      this.replaceChildren(chart, this.note, this.facts);
    }

    async load() {
      try {
        const answer = await fetch(this.getAttribute("src"), {
          headers: { Accept: "application/json" }, signal: this.abort.signal, credentials: "same-origin",
        });
        if (!(answer.headers.get("Content-Type") || "").includes("json")) {
          throw new Error(answer.redirected ? "your session has ended: sign in again" : `Fireline answered with an error (${answer.status})`);
        }
        const data = await answer.json();
        if (!answer.ok) throw new Error(data.error || `Fireline answered with an error (${answer.status})`);
        this.data = data;
        this.fresh();
        this.draw();
      } catch (error) {
        if (error.name !== "AbortError") this.stale(error instanceof TypeError ? "Fireline has not answered since" : error.message);
      }
    }

    fresh() {
      delete this.dataset.stale;
      this.note.hidden = true;
    }

    // The picture fades, the words say since when and why.
    stale(why) {
      this.dataset.stale = "";
      const asOf = this.data ? `as of ${hm(new Date(this.data.as_of))}: ` : "";
      this.note.textContent = `${asOf}${why}`;
      this.note.hidden = false;
      if (!this.data) {
        this.frame.replaceChildren(node("span", "none", "no picture"));
        this.frame.setAttribute("aria-label", `${this.getAttribute("label") || "Chart"}: ${why}`);
      }
    }

    draw() {
      if (!this.data || !this.isConnected) return;
      this.plot?.destroy();
      this.plot = null;
      this.frame.replaceChildren();
      this.colours = palette(this);
      this.describe();
      const [times, ...rest] = this.data.columns;
      if (!times.length || rest.every((values) => values.every((v) => v === null))) {
        this.frame.append(node("span", "none", "no data in this time"));
        return;
      }
      this.plot = new uPlot(this.options(), this.drawn(), this.frame);
    }

    // On a log scale nothing has no place: it is drawn at the floor, and read out as what it is.
    drawn() {
      const { columns, log, floor = 0.1 } = this.data;
      return log ? [columns[0], ...columns.slice(1).map((values) => values.map((v) => (v === null ? null : Math.max(v, floor))))] : columns;
    }

    resize() {
      const { clientWidth: width, clientHeight: height } = this.frame;
      if (this.plot && width && height && (width !== this.plot.width || height !== this.plot.height)) {
        this.plot.setSize({ width, height });
      }
    }

    series() {
      return this.data.series || [{ label: this.getAttribute("label") || "value", class: "l-main" }];
    }

    unit() {
      return this.getAttribute("unit") || "";
    }

    options() {
      const { colours, data } = this;
      const font = "12px " + getComputedStyle(this).fontFamily;
      const unit = this.unit();
      const axis = { stroke: colours.dim, font, ticks: { show: false }, grid: { show: false } };
      return {
        width: this.frame.clientWidth, height: this.frame.clientHeight,
        legend: { show: false }, padding: [this.headroom(), 12, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { time: true, range: () => [data.from ?? data.columns[0][0], data.to ?? data.columns[0].at(-1)] },
          y: data.log ? { distr: 3 } : { range: (plot, low, high) => this.range(high) },
        },
        axes: [
          { ...axis, space: 70, size: 26, values: timeLabels },
          { ...axis, size: (plot, values) => this.axisWidth(plot, values), space: 34, ...(data.log ? { splits: powersOfTen } : {}),
            grid: { show: true, stroke: colours.line, width: 1 },
            values: (plot, splits) => splits.map((v) => (v === null ? "" : print(v, unit))) },
        ],
        series: [{}, ...this.series().map((one) => this.line(one))],
        hooks: {
          drawClear: [(plot) => this.drawGround(plot)],
          draw: [(plot) => this.drawMarks(plot)],
          setCursor: [(plot) => this.readOut(plot.cursor.idx)],
        },
      };
    }

    line(one) {
      const stroke = this.colours[one.class] || this.colours["l-main"];
      return { label: one.label, stroke, width: 1.75, spanGaps: false, points: { show: false, size: 5 },
        fill: one.fill ? stroke.replace(/\)$/, " / .12)") : undefined };
    }

    // Room above the lines for the labels of marks, which stand in up to three rows.
    headroom() {
      const rows = this.narrow() ? 0 : Math.min(3, (this.data.marks || []).filter((mark) => mark.label).length);
      return rows ? 2 + rows * 15 : 14;
    }

    narrow() {
      return this.frame.clientWidth < NARROW;
    }

    range(high) {
      const limit = typeof this.data.limit === "number" ? this.data.limit : 0;
      const most = Number(this.getAttribute("most"));
      return [0, most || Math.max(high ?? 0, limit * 1.15) * 1.08 || 1];
    }

    axisWidth(plot, values) {
      const longest = (values || [""]).reduce((a, b) => (String(b).length > a.length ? String(b) : a), "");
      return Math.max(34, Math.ceil(longest.length * 7.2) + 12);
    }

    drawGround(plot) {
      const { ctx } = plot;
      ctx.save();
      const grounds = this.data.grounds || [];
      // What is known to be maintenance is not called "no data" as well.
      const missing = gaps(this.data.columns).filter(([from, to]) => !grounds.some((one) => one.from < to && one.to > from));
      for (const [from, to] of missing) this.shade(plot, from, to, "no data", this.colours.miss);
      for (const one of grounds) this.shade(plot, one.from, one.to, one.label, this.colours.ground);
      ctx.restore();
    }

    shade(plot, from, to, label, colour) {
      const { ctx, bbox } = plot;
      const ratio = devicePixelRatio || 1;
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
      if (right < bbox.left || left > bbox.left + bbox.width) return;
      ctx.fillStyle = colour;
      ctx.fillRect(left, bbox.top, Math.max(right - left, ratio), bbox.height);
      ctx.font = this.font(false);
      if (right - left > ctx.measureText(label).width + 12 * ratio) this.write(ctx, label, (left + right) / 2, bbox.top + bbox.height / 2, this.colours.dim, "center");
    }

    drawMarks(plot) {
      const { ctx, bbox } = plot;
      const ratio = devicePixelRatio || 1;
      ctx.save();
      ctx.lineWidth = ratio;
      if (typeof this.data.limit === "number") {
        const y = Math.round(plot.valToPos(this.data.limit, "y", true));
        ctx.strokeStyle = this.colours.soft;
        ctx.setLineDash([4 * ratio, 3 * ratio]);
        this.stroke(ctx, bbox.left, y, bbox.left + bbox.width, y);
        this.write(ctx, this.data.limit_label || print(this.data.limit, this.unit()), bbox.left + 4 * ratio, y - 7 * ratio, this.colours.text, "left", true);
        ctx.setLineDash([]);
      }
      const rows = [-Infinity, -Infinity, -Infinity]; // where the labels of each row end
      for (const mark of this.data.marks || []) this.drawMark(plot, mark, rows);
      ctx.restore();
    }

    // A label that would cover another takes the next row; when all three are taken it is only in the list below.
    drawMark(plot, mark, rows) {
      const { ctx, bbox } = plot;
      const ratio = devicePixelRatio || 1;
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      const paging = mark.tone === "page";
      const above = this.narrow() ? 0 : (this.headroom() - 2) * ratio;
      ctx.strokeStyle = paging ? this.colours.page : this.colours.soft;
      ctx.lineWidth = (paging ? 2 : 1) * ratio;
      this.stroke(ctx, x, bbox.top - above, x, bbox.top + bbox.height);
      if (this.narrow() || !mark.label) return;
      ctx.font = this.font(true);
      const width = ctx.measureText(mark.label).width + 10 * ratio;
      const right = x + width > bbox.left + bbox.width;
      const [from, to] = right ? [x - width, x] : [x, x + width];
      const row = rows.findIndex((end) => from > end);
      if (row < 0) return;
      rows[row] = to;
      this.write(ctx, mark.label, x + (right ? -5 : 5) * ratio, bbox.top - above + (6 + row * 15) * ratio,
        paging ? this.colours.page : this.colours.text, right ? "right" : "left", true);
    }

    font(strong) {
      return `${strong ? 600 : 400} ${12 * (devicePixelRatio || 1)}px ${getComputedStyle(this).fontFamily}`;
    }

    stroke(ctx, x1, y1, x2, y2) {
      ctx.beginPath();
      ctx.moveTo(x1, y1);
      ctx.lineTo(x2, y2);
      ctx.stroke();
    }

    write(ctx, text, x, y, colour, align, strong) {
      ctx.font = this.font(strong);
      ctx.textAlign = align;
      ctx.textBaseline = "middle";
      ctx.fillStyle = colour;
      ctx.fillText(text, x, y);
    }

    // Under the cursor, or the newest value when there is none.
    readOut(index) {
      const [times, ...columns] = this.data.columns;
      const at = index ?? times.length - 1;
      this.legend.querySelectorAll("output").forEach((output, i) => {
        output.value = index === null || index === undefined ? print(this.newest(columns[i]), this.unit()) : print(columns[i][at], this.unit());
      });
      if (this.when) this.when.textContent = index === null || index === undefined ? "" : `${dayOf(new Date(times[at] * 1000))} ${hm(new Date(times[at] * 1000))}`;
    }

    newest(values) {
      for (let i = values.length - 1; i >= 0; i -= 1) if (values[i] !== null && values[i] !== undefined) return values[i];
      return null;
    }

    describe() {
      const [times, ...columns] = this.data.columns;
      const unit = this.unit();
      this.legend.replaceChildren();
      const sentences = this.series().map((one, i) => {
        const entry = node("span");
        const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        swatch.setAttribute("aria-hidden", "true");
        const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        for (const [name, value] of Object.entries({ y: 4, width: 12, height: 3, fill: this.colours[one.class] || this.colours["l-main"] })) rect.setAttribute(name, value);
        swatch.append(rect);
        const output = node("output", "", print(this.newest(columns[i] || []), unit));
        entry.append(swatch, document.createTextNode(`${one.label} `), output);
        this.legend.append(entry);
        const known = (columns[i] || []).filter((v) => v !== null && v !== undefined);
        if (!known.length) return `${one.label}: no data`;
        return `${one.label}: now ${print(known.at(-1), unit)}, lowest ${print(Math.min(...known), unit)}, highest ${print(Math.max(...known), unit)}`;
      });
      this.names.replaceChildren(...(this.data.marks || []).filter((mark) => mark.label).map((mark) => {
        const date = new Date(mark.at * 1000);
        return node("li", "", `${times.at(-1) - times[0] > 86400 ? `${dayOf(date)} ` : ""}${hm(date)} ${mark.label}`);
      }), ...(this.data.grounds || []).map((one) => {
        const [start, end] = [new Date(one.from * 1000), new Date(one.to * 1000)];
        return node("li", "", `${dayOf(start)} ${hm(start)} to ${dayOf(end) === dayOf(start) ? "" : `${dayOf(end)} `}${hm(end)}: ${one.label}`);
      }));
      this.when = node("span", "dim");
      this.legend.append(this.when);
      this.frame.setAttribute("aria-label", `${this.getAttribute("label") || "Chart"}. ${sentences.join(". ")}`);
      this.tabulate(times, columns);
    }

    // At most 24 rows, evenly spread: the picture's text alternative.
    tabulate(times, columns) {
      this.facts.hidden = !times.length || this.hasAttribute("bare");
      const table = node("table", "table");
      const head = node("tr");
      head.append(node("th", "", "Time"), ...this.series().map((one) => node("th", "num", one.label)));
      const body = node("tbody");
      const step = Math.max(1, Math.ceil(times.length / 24));
      for (let i = times.length - 1; i >= 0; i -= step) {
        const row = node("tr");
        const date = new Date(times[i] * 1000);
        row.append(node("th", "", `${dayOf(date)} ${hm(date)}`), ...columns.map((values) => node("td", "num", print(values[i], this.unit()))));
        body.append(row);
      }
      const thead = node("thead");
      thead.append(head);
      table.append(thead, body);
      this.facts.lastElementChild.replaceChildren(table);
    }
  }

  customElements.define("fl-chart", Chart);
})();
