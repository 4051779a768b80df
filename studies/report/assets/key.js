// The legend of the replay.

/** Meanings of the colours and shapes that occur in this replay. */
function replayLegend(r) {
  const has = (sort) => r.places.has(sort);
  const kinds = new Set(r.flights.map(([kind]) => kind));
  const line = (name) => s("line", { x1: 2, x2: 30, y1: 9, y2: 9, class: name });
  const shape = (d, name) => s("path", { d, class: name, transform: "translate(16 9)" });
  const entries = [
    [kinds.has("request"), "request in flight", line("edge lit"), shape(SHAPES[0], "message request")],
    [kinds.has("response"), "response in flight", line("edge lit"), shape(SHAPES[0], "message response")],
    [kinds.has("busy"), "“I am busy”", line("edge lit"), shape("M-5 -5H5V5H-5Z", "message busy")],
    [
      kinds.has("acknowledgement"),
      "acknowledgement",
      line("edge lit"),
      s("circle", { cx: 16, cy: 9, r: 3, class: "message acknowledgement" }),
    ],
    [
      [...kinds].some((kind) => kind === "news" || !KINDS.includes(kind)),
      "message in flight",
      line("edge lit"),
      shape(SHAPES[0], "message news"),
    ],
    [has("completed"), "exchange completed", line("edge done")],
    [
      has("lost") || has("damaged"),
      "lost, dropped or damaged",
      line("edge failed"),
      shape("M-6 -6L6 6M6 -6L-6 6", "lost"),
    ],
    [has("given_up"), "exchange given up", line("edge"), shape("M-7 -6H7L0 7Z", "given-up")],
    [
      r.half.length,
      "half-committed, until the next exchange",
      line("edge"),
      shape("M0 -8L8 0L0 8L-8 0Z", "half-committed"),
      shape("M0 -8L8 0L0 8Z", "half-committed filled"),
    ],
    [
      r.outages.some(([, , kind]) => kind === "down"),
      "direction down: the half at its sender",
      line("half down"),
    ],
    [
      r.outages.some(([, , kind]) => kind === "held"),
      "direction held: the half at its sender",
      line("half held"),
    ],
    [
      r.spells.some(([, kind]) => kind === "crashed"),
      "agent crashed",
      s("circle", { cx: 16, cy: 9, r: 7, class: "agent crashed" }),
      s("path", { d: "M11 4l10 10m0 -10l-10 10", class: "crossed" }),
    ],
    [
      r.network.length,
      "above the slider: the whole network’s disagreement, on a logarithmic axis",
      s("path", { d: "M2 14L10 5L18 8L30 4", class: "apart" }),
    ],
    [
      has("lost") || has("damaged"),
      "above the slider: each loss",
      s("path", { d: "M8 14v-9M16 14v-9M19 14v-9", class: "loss" }),
    ],
    [
      r.spells.some(([, kind]) => kind === "slow"),
      "agent slow",
      s("circle", { cx: 16, cy: 9, r: 5, class: "agent level-0" }),
      s("circle", { cx: 16, cy: 9, r: 8, class: "ring" }),
    ],
    [
      r.spells.some(([, kind]) => kind === "lying"),
      "agent lying",
      s("circle", { cx: 16, cy: 9, r: 5, class: "agent level-0" }),
      s("circle", { cx: 16, cy: 9, r: 8, class: "ring lying" }),
    ],
  ];
  const items = entries
    .filter(([there]) => there)
    .map(([, text, ...parts]) =>
      h(
        "li",
        {},
        s("svg", { width: 32, height: 18, viewBox: "0 0 32 18", "aria-hidden": "true" }, parts),
        text,
      ),
    );
  const scale = s(
    "svg",
    { width: 112, height: 18, viewBox: "0 0 112 18", "aria-hidden": "true" },
    [0, 1, 2, 3, 4, 5, 6].map((level) =>
      s("rect", { x: level * 16, y: 2, width: 16, height: 14, class: `agent level-${level}` }),
    ),
  );
  const range = `root mean square distance to its neighbours, from ${figure(Number(r.least.toPrecision(2)))} (pale) to ${figure(Number(r.most.toPrecision(2)))} (strong)`;
  return h("ul", { class: "replay-legend" }, h("li", { class: "wide" }, scale, `agent: ${range}`), items);
}
