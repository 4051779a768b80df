// Plays what was recorded: by simulated time, or one event after another.

const SORTS = [
  ["sent", "sent"],
  ["delivered", "delivered"],
  ["lost", "lost or dropped"],
  ["damaged", "arrived damaged"],
  ["late", "never delivered"],
  ["completed", "exchanges completed"],
  ["half_committed", "half-committed"],
  ["given_up", "given up"],
  ["busy", "busy"],
  ["stale", "too old"],
  ["falsified", "sent with false numbers"],
  ["solved", "solves"],
];

class Player {
  constructor(host, replay) {
    this.r = new Recorded(replay);
    this.at = 0; // place in the events
    this.playing = false;
    this.timed = this.r.end > this.r.begin;
    const agents = this.r.nodes.length;
    const label = `Network of ${agents} agents and ${this.r.links.length} links. The events at each moment are described below.`;
    this.picture = new NetworkPicture(this.r, label);
    this.strip = s("svg", {
      class: "strip",
      "aria-hidden": "true",
      preserveAspectRatio: "none",
      viewBox: "0 0 1000 56",
    });
    this.head = s("line", { y1: 0, y2: 56, class: "playhead" });
    this.slider = h("input", {
      type: "range",
      min: 0,
      value: 0,
      id: "replay-time",
      "aria-label": "Moment of the replay",
      oninput: () => this.sought(),
    });
    this.play = h("button", { type: "button", id: "replay-play", onclick: () => this.toggle() }, "▶ Play");
    const step = (by, text, name) =>
      h("button", { type: "button", "aria-label": name, title: name, onclick: () => this.step(by) }, text);
    this.clock = h("output", { for: "replay-time" });
    this.now = h("p", { class: "now" });
    this.aloud = h("p", { class: "unseen", "aria-live": "polite" });
    this.counts = h("dl", { class: "counts" });
    this.speeds = h("span", { class: "choice-host" });
    const pace = this.timed
      ? choice(
          "Pace",
          [
            ["time", "simulated time"],
            ["order", "event by event"],
          ],
          "time",
          (value) => ((this.timed = value === "time"), this.paced()),
        )
      : h("p", { class: "soft" }, "No simulated time passes here, so events are shown one by one.");
    host.append(
      h(
        "div",
        { class: "replay" },
        this.picture.svg,
        replayLegend(this.r),
        h(
          "div",
          { class: "console" },
          this.strip,
          this.slider,
          h(
            "div",
            { class: "controls" },
            this.play,
            step(-1, "← Event", "Event before"),
            step(1, "Event →", "Next event"),
            this.clock,
            this.speeds,
            pace,
          ),
          this.now,
          this.aloud,
          this.counts,
        ),
      ),
    );
    this.paced();
  }

  /** The length of the slider's axis, and where on it a place is. */
  get length() {
    return this.timed ? this.r.end - this.r.begin : Math.max(this.r.last, 1);
  }

  axis(place) {
    return this.timed ? this.r.time(place) - this.r.begin : place;
  }

  /** By another axis: its slider, its speeds and its strip. */
  paced() {
    const unit = this.timed ? this.length / 1000 : 1;
    this.unit = unit;
    this.slider.max = this.timed ? 1000 : this.r.last;
    this.slider.step = this.timed ? "any" : 1;
    const slow = this.timed ? usualFlight(this.r) : 2;
    const fast = Math.max(this.length / 12, slow);
    const count = 6;
    this.rates = Array.from({ length: count }, (_, k) => slow * (fast / slow) ** (k / (count - 1)));
    // To begin with, all of it in about a minute, or five events a second.
    const wanted = this.timed ? this.length / 60 : 5;
    const distances = this.rates.map((rate) => Math.abs(Math.log(rate / wanted)));
    this.rate = this.rates[distances.indexOf(Math.min(...distances))];
    const words = (rate) =>
      this.timed ? `${seconds(Number(rate.toPrecision(2)))} a second` : `${Math.round(rate)} events a second`;
    this.speeds.replaceChildren(
      choice(
        "Speed",
        this.rates.map((rate, k) => [String(k), words(rate)]),
        String(this.rates.indexOf(this.rate)),
        (k) => ((this.rate = this.rates[Number(k)]), this.show()),
      ),
    );
    this.drawStrip();
    this.show(true);
  }

  toggle(on = !this.playing) {
    this.playing = on;
    this.play.textContent = on ? "⏸ Pause" : "▶ Play";
    if (!on) return this.show(true);
    if (this.at >= this.r.last) this.at = 0;
    this.before = null;
    requestAnimationFrame((now) => this.frame(now));
  }

  frame(now) {
    if (!this.playing) return;
    const passed = this.before === null ? 0 : Math.min((now - this.before) / 1000, 0.25) * this.rate;
    this.before = now;
    this.at = this.timed
      ? this.r.place(this.r.time(this.at) + passed)
      : Math.min(this.at + passed, this.r.last);
    this.show();
    if (this.at >= this.r.last) this.toggle(false);
    else requestAnimationFrame((next) => this.frame(next));
  }

  step(by) {
    this.toggle(false);
    const here = Math.floor(this.at);
    this.at = by > 0 ? Math.min(here + 1, this.r.last) : Math.max(this.at > here ? here : here - 1, 0);
    this.show(true);
  }

  sought() {
    const value = Number(this.slider.value);
    if (this.playing) this.toggle(false);
    this.at = this.timed ? this.r.place(this.r.begin + value * this.unit) : value;
    if (this.timed && value >= 1000) this.at = this.r.last;
    this.show(true);
  }

  /** Draws the present; `aloud` when it was come to by hand, so that a screen reader hears it. */
  show(aloud = false) {
    const { r } = this;
    const place = calm.matches ? Math.floor(this.at) : this.at;
    const linger = this.rate * 0.6;
    this.picture.lingers = linger;
    this.picture.show(place, this.timed, linger);
    const along = this.axis(this.at);
    if (document.activeElement !== this.slider || this.playing || aloud)
      this.slider.value = String(along / this.unit);
    const k = Math.floor(this.at);
    const said = `${seconds(r.time(this.at))}, event ${k + 1} of ${r.last + 1}`;
    this.slider.setAttribute("aria-valuetext", said);
    this.clock.textContent = said;
    this.now.textContent = r.wordsOf(k);
    this.head.setAttribute("x1", (along / this.length) * 1000);
    this.head.setAttribute("x2", (along / this.length) * 1000);
    this.counts.replaceChildren(
      ...SORTS.filter(([sort]) => r.places.has(sort)).map(([sort, name]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, r.count(sort, this.at).toLocaleString("en"))),
      ),
    );
    if (!aloud) return;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.aloud.textContent = `${said}: ${r.wordsOf(k)}`), 400);
  }

  /** Above the slider: the network's disagreement, red where something is down, a tick for each loss. */
  drawStrip() {
    const { r } = this;
    const x = (place) => (this.axis(place) / this.length) * 1000;
    this.strip.replaceChildren();
    const spells = [...r.outages.map(([, , ...rest]) => rest), ...r.spells.map(([, ...rest]) => rest)];
    for (const kind of new Set(spells.map(([kind]) => kind))) {
      for (const [from, to] of joined(
        spells.filter((spell) => spell[0] === kind).map(([, first, last]) => [x(first), x(Math.min(last, r.last))]),
      )) {
        this.strip.append(
          s("rect", { x: from, width: Math.max(to - from, 1), y: 0, height: 56, class: `spell ${kind}` }),
        );
      }
    }
    const lost = [...(r.places.get("lost") ?? []), ...(r.places.get("damaged") ?? [])];
    const ticks = [...new Set(lost.map((place) => x(place).toFixed(0)))];
    if (ticks.length)
      this.strip.append(s("path", { d: ticks.map((at) => `M${at} 56v-9`).join(""), class: "loss" }));
    const [places, values] = r.network.length ? r.network : [[], []];
    const positive = values.filter((value) => value > 0);
    if (positive.length) {
      const y = logarithmic(extent(positive, true), [46, 4]);
      const every = Math.max(1, Math.floor(places.length / 1500));
      const points = places
        .map((place, k) => [x(place), values[k]])
        .filter(([, value], k) => value > 0 && k % every === 0);
      this.strip.append(
        s("path", {
          d: path(points.map(([at, value]) => [at, y(value)])),
          class: "apart",
          "vector-effect": "non-scaling-stroke",
        }),
      );
    }
    this.strip.append(this.head);
  }
}

/** The player of one recording, and a menu of all of them if there are several. */
function replayPart() {
  if (!data.replay) return;
  const { opened, recordings } = data.replay;
  const host = document.getElementById("replay");
  const note = h("p", { class: "prose", "aria-live": "polite", id: "replay-note" });
  const stage = h("div", {});
  let player = null;
  const open = (k) => {
    if (player) player.playing = false;
    stage.replaceChildren();
    note.textContent = recordings[k].note;
    player = new Player(stage, recordings[k]);
  };
  if (recordings.length > 1) {
    const options = recordings.map(({ option }, k) => [String(k), option]);
    const menu = choice("Replay of", options, String(opened), (k) => open(Number(k)));
    host.append(h("div", { class: "controls", id: "replay-update" }, menu));
  }
  if (recordings.some(({ note }) => note)) host.append(note);
  host.append(stage);
  open(opened);
}
