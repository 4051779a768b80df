// The base of all charts: a picture that follows the width of the page, and points that can be reached by
// pointer and by keyboard.

const SHAPES = [
  "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z", // circle
  "M-4 -4H4V4H-4Z", // square
  "M0 -5.2L5 4H-5Z", // triangle
  "M0 -5.6L5.6 0L0 5.6L-5.6 0Z", // diamond
  "M0 5.2L5 -4H-5Z", // triangle upside down
  "M-1.8 -5H1.8V-1.8H5V1.8H1.8V5H-1.8V1.8H-5V-1.8H-1.8Z", // plus
  "M-5 -1.6L0 -5.4L5 -1.6L3.1 4.6H-3.1Z", // pentagon
  "M-5 -2.6H5V2.6H-5Z", // bar
];
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "12 4", "4 2 1 2 1 2"];
const STEPS = 8; // colours in the scale for numbers

/** The class that gives a condition its colour. */
function colour(hue) {
  if (!data.hue.numeric) return `hue hue-${hue % 10}`;
  const levels = data.hue.levels.length;
  return `hue step-${levels > 1 ? Math.round((hue / (levels - 1)) * (STEPS - 1)) : 0}`;
}

/** A marker of a condition at a place. */
function marker(condition, x, y, size = 1) {
  const shape = SHAPES[condition.hue % SHAPES.length];
  return s("path", { d: shape, class: "marker", transform: `translate(${x} ${y}) scale(${size})` });
}

// Which colours and dashes are switched on; the charts share it.
const shown = { hue: data.hue.levels.map(() => true), style: data.style.levels.map(() => true) };
const redraws = [];
const visible = (condition) => (shown.hue[condition.hue] ?? true) && (shown.style[condition.style] ?? true);

/** Buttons that say what colours and dashes mean, and switch them off and on. */
function legend() {
  const host = document.getElementById("legend");
  for (const kind of ["hue", "style"]) {
    const { title, levels } = data[kind];
    if (levels.length < 2) continue;
    const buttons = levels.map((level, i) => {
      const like = kind === "hue" ? { hue: i, style: 0 } : { hue: 0, style: i };
      const sample = s(
        "svg",
        {
          width: 34,
          height: 14,
          viewBox: "0 0 34 14",
          "aria-hidden": "true",
          class: kind === "hue" ? colour(i) : "plain",
        },
        s("line", {
          x1: 1,
          x2: 33,
          y1: 7,
          y2: 7,
          class: "line",
          "stroke-dasharray": kind === "style" ? DASHES[i % DASHES.length] : null,
        }),
        kind === "hue" ? marker(like, 17, 7) : null,
      );
      const button = h("button", { type: "button", "aria-pressed": "true" }, sample, fitted(level, 330));
      if (fitted(level, 330) !== level) button.title = level;
      button.addEventListener("click", () => {
        shown[kind][i] = !shown[kind][i];
        button.setAttribute("aria-pressed", String(shown[kind][i]));
        redraws.forEach((redraw) => redraw());
      });
      return button;
    });
    host.append(
      h(
        "div",
        { role: "group", "aria-label": `Shown: ${title}`, class: "levels" },
        h("span", { class: "levels-title" }, title),
        buttons,
      ),
    );
  }
}

class Chart {
  /** `describe()` gives the picture's text, `draw(svg, width)` its content, and returns [height, points]. */
  constructor(host, describe, draw) {
    Object.assign(this, { describe, draw, points: [], at: -1 });
    this.svg = s("svg", { role: "img" });
    this.tip = h("div", { class: "tip", hidden: "" });
    this.said = h("p", { class: "unseen", "aria-live": "polite" });
    this.frame = h(
      "div",
      {
        class: "chart",
        tabindex: "0",
        role: "application",
        "aria-roledescription": "chart",
        "aria-label": "Arrow keys move between points, Enter selects the trials of a point",
      },
      this.svg,
      this.tip,
    );
    host.append(this.frame, this.said);
    this.frame.addEventListener("pointermove", (event) => this.pointed(event));
    this.frame.addEventListener("pointerleave", () => this.frame !== document.activeElement && this.go(-1));
    this.frame.addEventListener("click", (event) => (this.pointed(event), this.choose()));
    this.frame.addEventListener("keydown", (event) => this.key(event));
    this.frame.addEventListener(
      "focus",
      () => this.frame.matches(":focus-visible") && this.at < 0 && this.go(0, true),
    );
    this.frame.addEventListener("blur", () => this.go(-1));
    new ResizeObserver(() => this.frame.clientWidth !== this.width && this.redraw()).observe(this.frame);
    onSelection(() => this.redraw());
    this.redraw();
  }

  redraw() {
    this.width = this.frame.clientWidth;
    if (!this.width) return;
    const before = this.points[this.at];
    this.svg.replaceChildren();
    const [height, points] = this.draw(this.svg, this.width);
    this.points = points;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("aria-label", this.describe());
    this.halo = s("circle", { r: 8, class: "halo", visibility: "hidden" });
    this.svg.append(this.halo);
    this.go(
      before
        ? points.findIndex((point) => point.fragment === before.fragment && point.text[0] === before.text[0])
        : -1,
    );
  }

  pointed(event) {
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, nearest] = [-1, 48 ** 2];
    this.points.forEach((point, i) => {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < nearest) [best, nearest] = [i, distance];
    });
    this.go(best);
  }

  /** Left and right along a series, up and down to the next one where it is nearest. */
  key(event) {
    const here = this.points[this.at];
    const series = [...new Set(this.points.map((point) => point.series))];
    const along = (name) =>
      this.points
        .map((point, i) => [point, i])
        .filter(([point]) => point.series === name)
        .sort(([a], [b]) => a.x - b.x);
    const nearest = (name) =>
      along(name).reduce((a, b) => (Math.abs(b[0].x - here.x) < Math.abs(a[0].x - here.x) ? b : a))[1];
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key === "Escape") this.go(-1);
    else if ((event.key === "Enter" || event.key === " ") && here) this.choose();
    else if (
      !this.points.length ||
      !(event.key in moves || event.key === "ArrowUp" || event.key === "ArrowDown")
    )
      return;
    else if (!here) this.go(0, true);
    else if (event.key in moves) {
      const row = along(here.series);
      const place = row.findIndex(([, i]) => i === this.at) + moves[event.key];
      this.go(row[Math.min(Math.max(place, 0), row.length - 1)][1], true);
    } else {
      const next = series.indexOf(here.series) + (event.key === "ArrowDown" ? 1 : -1);
      if (series[next] !== undefined) this.go(nearest(series[next]), true);
    }
    event.preventDefault();
  }

  go(i, aloud = false) {
    this.at = i;
    const point = this.points[i];
    this.tip.hidden = !point;
    this.halo?.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    this.halo.setAttribute("cx", point.x);
    this.halo.setAttribute("cy", point.y);
    this.tip.replaceChildren(...point.text.map((line, n) => h(n ? "span" : "strong", {}, line)));
    const left = Math.min(Math.max(point.x - this.tip.offsetWidth / 2, 0), this.width - this.tip.offsetWidth);
    const above = point.y - this.tip.offsetHeight - 14;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${above < 0 ? point.y + 14 : above}px`;
    if (aloud) this.said.textContent = point.text.join(", ");
  }

  choose() {
    if (this.points[this.at]) select(this.points[this.at].fragment);
  }
}

/** Axes of one panel at (left, top) of a size, with lines across it. */
function axes(svg, place, x, y, xTitle, title) {
  const { left, top, width, height } = place;
  const bottom = top + height;
  const group = s("g", { class: "axes" });
  const across = yTicks(y, height);
  const names = labels(across);
  across.forEach((tick, i) =>
    group.append(
      s("line", { x1: left, x2: left + width, y1: y(tick), y2: y(tick), class: "grid" }),
      s("text", { x: left - 8, y: y(tick) + 4, class: "tick end y" }, names[i]),
    ),
  );
  group.append(...xTicks(x, left, width, bottom + 18));
  group.append(
    s("line", { x1: left, x2: left + width, y1: bottom, y2: bottom, class: "base" }),
    s("text", { x: left + width / 2, y: bottom + 38, class: "axis-title middle" }, fitted(xTitle, width + left)),
    title ? s("text", { x: left, y: top - 10, class: "panel-title" }, title) : "",
  );
  svg.append(group);
}

const yTicks = (y, height) => y.ticks(Math.max(3, Math.floor(height / 45)));

/** Labels below an axis. */
function xTicks(x, left, width, y) {
  const ticks = fittingTicks(x, width);
  const names = labels(ticks);
  return ticks.map((tick, i) => {
    // At the right end of a narrow picture, so that nothing of it is cut off.
    const half = names[i].length * 3.5;
    const at = Math.max(Math.min(x(tick), left + width + 12 - half), half - 2);
    return s("text", { x: at, y, class: "tick middle x" }, names[i]);
  });
}

/** Text that fits into a width of about so many pixels. */
function fitted(text, width, letter = 6.6) {
  const most = Math.floor(width / letter);
  return text.length <= most ? text : `${text.slice(0, Math.max(most - 1, 1)).trimEnd()}…`;
}
