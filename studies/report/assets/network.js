// The network at one moment of its replay: agents, links, and what is on them.

const NETWORK = { width: 720, height: 520, margin: 52 };

/** From 0 to 6: how strong the colour of a distance is. */
function strength(value, { least, most }) {
  if (!(value > least)) return 0;
  return Math.min(6, Math.round((6 * Math.log(value / least)) / Math.log(most / least)));
}

/** Names from the file of a graph: the most nodes that have theirs beside them, letters, and size. */
const NAMED = { nodes: 40, letters: 18, size: 12, few: 12, large: 20 };

/** Distance in the picture below which agents are pushed apart, and the rounds of that. */
const APART = { distance: 20, rounds: 80 };

/** The places with agents pushed apart that are too close to be told from each other; each stays in the picture. */
function pushedApart(places) {
  const { width, height } = NETWORK;
  const at = places.map(([x, y]) => [x, y]);
  const inside = (value, most) => Math.min(most - APART.distance, Math.max(APART.distance, value));
  for (let round = 0, moved = true; moved && round < APART.rounds; round++) {
    moved = false;
    for (let i = 0; i < at.length; i++) {
      for (let j = i + 1; j < at.length; j++) {
        const [dx, dy] = [at[j][0] - at[i][0], at[j][1] - at[i][1]];
        const near = Math.hypot(dx, dy);
        if (near >= APART.distance) continue;
        moved = true;
        const turn = i + 2.4 * j; // the direction of agents in the same place: another one for each pair
        const [ux, uy] = near > 1e-6 ? [dx / near, dy / near] : [Math.cos(turn), Math.sin(turn)];
        const step = (APART.distance * 1.02 - near) / 2;
        at[i] = [inside(at[i][0] - ux * step, width), inside(at[i][1] - uy * step, height)];
        at[j] = [inside(at[j][0] + ux * step, width), inside(at[j][1] + uy * step, height)];
      }
    }
  }
  return at;
}

/** A radius with which no agents overlap. */
function roomy(places) {
  let nearest = Infinity;
  places.forEach(([x, y], i) => {
    for (const [u, v] of places.slice(i + 1)) nearest = Math.min(nearest, Math.hypot(x - u, y - v));
  });
  return Math.min(22, nearest * 0.45);
}

class NetworkPicture {
  constructor(recorded, label) {
    this.r = recorded;
    const { width, height, margin } = NETWORK;
    const all = [...recorded.nodes, ...recorded.links.flatMap(([, , route]) => route)];
    const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const unit = Math.min((width - 2 * margin) / (x1 - x0 || 1), (height - 2 * margin) / (y1 - y0 || 1));
    const to = ([x, y]) => [width / 2 + (x - (x0 + x1) / 2) * unit, height / 2 - (y - (y0 + y1) / 2) * unit];
    this.at = pushedApart(recorded.nodes.map(to));
    this.routes = recorded.links.map(([source, destination, route]) => [
      this.at[source],
      ...route.slice(1, -1).map(to),
      this.at[destination],
    ]);
    this.radius = roomy(this.at);
    const many = recorded.links.length > 300 ? " many crowded" : recorded.links.length > 80 ? " many" : "";
    this.svg = s("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": label,
      class: `network${many}`,
    });
    this.halves = this.routes.map((route) => {
      const half = route.length > 2 ? Math.floor(route.length / 2) : 1;
      const middle = along(route, 0.5);
      const parts =
        route.length > 2
          ? [route.slice(0, half + 1), route.slice(half)]
          : [
              [route[0], middle],
              [middle, route[1]],
            ];
      this.svg.append(s("path", { d: path(route), class: "edge" }));
      return parts.map(path);
    });
    // Renewed at each moment: what is lit, moves, or is marked; marks lie above the agents.
    [this.lit, this.moving, this.marks] = [s("g"), s("g"), s("g")];
    const numbers = s("g");
    this.svg.append(this.lit, numbers, this.moving);
    const valued = recorded.nodes.length <= 16;
    const few = recorded.nodes.length <= NAMED.few; // names have room for the large size on a narrow page
    this.agents = this.at.map(([x, y], k) => {
      const disc = s("circle", { cx: x, cy: y, r: this.radius, class: "agent" });
      const ring = s("circle", { cx: x, cy: y, r: this.radius + 4, class: "ring", visibility: "hidden" });
      const size = Math.max(8, Math.min(13, this.radius * 0.9));
      const name = s(
        "text",
        { x, y: y + size * 0.35, "font-size": size, class: "agent-name" },
        String(recorded.names[k]),
      );
      const words = (recorded.labels ?? [])[k] ?? "";
      const short = words.length > NAMED.letters ? `${words.slice(0, NAMED.letters - 1)}…` : words;
      const reach = (short.length * (few ? NAMED.large : NAMED.size) * 0.62) / 2; // half of its width, about
      const label =
        short && recorded.nodes.length <= NAMED.nodes
          ? s(
              "text",
              {
                x: Math.min(width - reach, Math.max(reach, x)),
                y: y - this.radius - 6,
                "font-size": NAMED.size,
                class: `agent-label${few ? " few" : ""}`,
              },
              short,
            )
          : null;
      if (label && short !== words) label.append(s("title", {}, words));
      const value = valued ? s("text", { x, y: y + this.radius + 15, class: "agent-value" }) : null;
      const arm = this.radius * 0.6;
      const cross = s("path", {
        d: `M${x - arm} ${y - arm}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}`,
        class: "crossed",
        visibility: "hidden",
      });
      numbers.append(value ?? "", label ?? "");
      this.svg.append(s("g", {}, disc, ring, name, cross));
      return { disc, ring, name, value, cross };
    });
    this.svg.append(this.marks);
  }

  /** Shows a place; `linger` is for how much of the axis (`time` or events) an end of something stays lit. */
  show(place, timed, linger) {
    const { r } = this;
    const now = r.time(place);
    const k = Math.floor(place);
    const age = (event) => (timed ? now - r.times[event] : place - event);
    const fresh = (event) => event <= k && age(event) <= linger;
    const lasts = (first, last) => first <= k && k < last;
    [this.lit, this.moving, this.marks].forEach((group) => group.replaceChildren());
    for (const [source, destination, kind, first, last] of r.outages) {
      if (!lasts(first, last)) continue;
      const link = r.link.get(`${source} ${destination}`);
      const d = this.halves[link][r.links[link][0] === source ? 0 : 1];
      this.lit.append(s("path", { d, class: `half ${kind}` }));
    }
    this.flights(place, now, fresh);
    for (let event = k; event >= 0 && age(event) <= linger && k - event < 400; event--) {
      const sort = r.words[r.word[event]][0];
      const link = r.link.get(`${r.a[event]} ${r.b[event]}`);
      if (link === undefined) continue;
      if (sort === "completed") this.light(link, "done");
      if (sort === "given_up") this.mark(link, "given-up", "M-7 -6H7L0 7Z");
    }
    for (const [link, first, last] of r.half) {
      if (lasts(first, last)) this.mark(link, "half-committed", "M0 -8L8 0L0 8L-8 0Z", "M0 -8L8 0L0 8Z");
    }
    this.agents.forEach(({ disc, ring, value, cross }, agent) => {
      const apart = r.disagreement(agent, place);
      const level = strength(apart, r);
      disc.setAttribute("class", `agent level-${level}`);
      this.agents[agent].name.setAttribute("class", `agent-name${level > 3 ? " on-strong" : ""}`);
      if (value) value.textContent = figure(Number(apart.toPrecision(3)));
      ring.setAttribute("visibility", "hidden");
      cross.setAttribute("visibility", "hidden");
    });
    for (const [agent, kind, first, last] of r.spells) {
      if (!lasts(first, last)) continue;
      const { disc, ring, cross } = this.agents[r.names.indexOf(agent)];
      if (kind === "crashed") {
        disc.setAttribute("class", "agent crashed");
        cross.setAttribute("visibility", "visible");
      } else {
        ring.setAttribute("class", kind === "lying" ? "ring lying" : "ring");
        ring.setAttribute("visibility", "visible");
      }
    }
  }

  /** Messages on their way: dots of different shapes; a cross where one was lost. */
  flights(place, now, fresh) {
    const { r } = this;
    for (const [kind, source, destination, first, last, until, fate, reach] of r.flights) {
      if (first > place) break;
      const [begin, end] = [r.times[first], until ?? r.times[last]];
      const over = end > begin ? now >= end : place >= Math.max(last, first + 1);
      const link = r.link.get(`${source} ${destination}`);
      const route = r.links[link][0] === source ? this.routes[link] : [...this.routes[link]].reverse();
      if (!over) {
        const done =
          end > begin ? (now - begin) / (end - begin) : (place - first) / Math.max(last - first, 1);
        const share = calm.matches ? 0.5 : done;
        this.light(link, "lit");
        this.dot(along(route, share * (fate === "in flight" || fate === "late" ? 1 : reach)), kind);
      } else if (fate === "dropped" && (fresh(last) || (until !== null && now - until <= this.lingers))) {
        this.light(link, "failed");
        this.cross(along(route, Math.max(reach, 0.2)));
      } else if (fate === "damaged" && fresh(last)) {
        this.light(link, "failed");
        this.cross(along(route, 0.85));
      }
    }
  }

  light(link, name) {
    this.lit.append(s("path", { d: path(this.routes[link]), class: `edge ${name}` }));
  }

  dot([x, y], kind) {
    const shape =
      { response: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z", busy: "M-5 -5H5V5H-5Z" }[kind] ?? SHAPES[0];
    const size = kind === "acknowledgement" ? 0.6 : 1.2;
    this.moving.append(
      s("path", {
        d: shape,
        class: `message ${KINDS.includes(kind) ? kind : "news"}`,
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`,
      }),
    );
  }

  cross([x, y]) {
    this.marks.append(
      s("path", {
        d: "M-7 -7L7 7M7 -7L-7 7",
        class: "lost",
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      }),
    );
  }

  mark(link, name, ...shapes) {
    const [x, y] = along(this.routes[link], name === "given-up" ? 0.62 : 0.38);
    shapes.forEach((d, n) =>
      this.marks.append(
        s("path", {
          d,
          class: `${name}${n ? " filled" : ""}`,
          transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
        }),
      ),
    );
  }
}

const KINDS = ["request", "response", "busy", "acknowledgement", "news"];

/** The point of a line at a share of its length; its pieces are of about equal length. */
function along(route, share) {
  const at = Math.min(Math.max(share, 0), 1) * (route.length - 1);
  const k = Math.min(Math.floor(at), route.length - 2);
  const [[x0, y0], [x1, y1]] = [route[k], route[k + 1]];
  return [x0 + (at - k) * (x1 - x0), y0 + (at - k) * (y1 - y0)];
}
