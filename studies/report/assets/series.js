// Curves of single agents, and what single links dropped when, for one condition at a time.

function seriesPart() {
  const host = document.getElementById("series");
  if (!host) return;
  const { agents, links } = data.series;
  const has = (i) => agents?.measures.some(({ lines }) => lines.some(([c]) => c === i)) || links?.conditions[i].links.length > 0;
  const there = data.conditions.map((_, i) => i).filter(has);
  let condition = there[0];
  const redraw = [];
  const chooser = h("div", { class: "controls" });
  const build = () => {
    if (there.length < 2) return;
    const names = there.map((i) => [String(i), data.conditions[i].label]);
    chooser.replaceChildren(
      choice("Condition", names, String(condition), (i) => {
        condition = Number(i);
        redraw.forEach((each) => each());
      }),
    );
  };
  build();
  host.append(chooser);
  if (agents) redraw.push(agentsChart(host, agents, () => condition));
  if (links) redraw.push(linkStrips(host, links, () => condition, agents !== null));
  onSelection(() => {
    if (selection.condition === null || !there.includes(selection.condition)) return;
    condition = selection.condition;
    build();
    redraw.forEach((each) => each());
  });
}

/** An agent with the name that the file of the graph gives it, as "3 (Zürich)". */
function numbered(agent) {
  const name = data.names[agent];
  return name === undefined || name === String(agent) ? String(agent) : `${agent} (${name})`;
}

/** The words at the end of an agent's line, where there is little space: the name, if there is one. */
function endLabel(agent) {
  const title = numbered(agent);
  return title === String(agent) ? `agent ${agent}` : title;
}

/** A line with its band for each agent; returns what to call when another condition is chosen. */
function agentsChart(host, { xs, measures }, condition) {
  let measure = measures[0];
  let only = "all"; // an agent whose line would be flat among the others has the axis for itself
  let chart = null;
  const of = (agent) => ({ hue: agent, style: Math.floor(agent / 10) });
  const lines = () =>
    measure.lines
      .filter(([c, agent]) => c === condition() && (only === "all" || String(agent) === only))
      .map(([, agent, x, y, low, high]) => ({ agent, x: xs[x], y, low, high }));
  // All lines are of one condition, so its bands have the height of the panel.
  const bands = () =>
    allFaultBands("training", "update")
      .filter((band) => band.condition === condition() || (band.condition === null && band.panel === data.conditions[condition()].panel))
      .map((band) => ({ ...band, condition: null }));
  const faults = h("div", {});
  const figureElement = h("figure", { id: "agents-figure" });
  const caption = h("figcaption", {});
  const table = numbersOf(() =>
    plainTable(
      `${capital(measure.title)} by agent and update`,
      ["agent", "update", measure.estimate, "from", "to"],
      lines().flatMap(({ agent, x, y, low, high }) =>
        x.map((update, k) => [
          numbered(agent),
          figure(update, "count"),
          ...[y[k], low[k], high[k]].map((value) => (value === null ? "" : figure(value, measure.unit))),
        ]),
      ),
    ),
  );

  const draw = (svg, width) => {
    const drawn = lines();
    const [top, foot] = [26, 50];
    const height = Math.min(340, Math.max(220, width * 0.42));
    const yDomain = extent(drawn.flatMap(({ y, low, high }) => [...y, ...low, ...high]), false);
    const names = labels(yTicks(linear(yDomain, [height, 0]), height));
    const left = Math.max(58, 14 + 7 * Math.max(...names.map((name) => name.length)));
    const labelled = drawn.length <= 20;
    const longest = Math.max(0, ...drawn.map(({ agent }) => endLabel(agent).length));
    const right = labelled ? Math.min(30 + 7.6 * longest, width * 0.32) : 14;
    const place = { left, top, width: width - left - right, height };
    const ends = drawn.flatMap(({ x }) => [x[0], x.at(-1)]);
    const x = linear(ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, 1], [left, left + place.width], true);
    const y = linear(yDomain, [top + height, top]);
    const points = [];
    svg.append(s("text", { x: 0, y: 12, class: "axis-title" }, fitted(measure.title, width)));
    axes(svg, place, x, y, "policy update", "");
    drawFaultBands(svg, place, x, bands());
    for (const line of drawn) {
      const group = s("g", { class: `hue hue-${line.agent % 10}` });
      const places = line.x.map((value, k) => [x(value), y(line.y[k])]);
      if (line.low.some((value) => value !== null)) {
        const upper = line.x.map((value, k) => [x(value), y(line.high[k])]);
        const lower = line.x.map((value, k) => [x(value), y(line.low[k])]);
        group.append(s("path", { d: `${path([...upper, ...lower.reverse()])}Z`, class: "band" }));
      }
      const dashes = DASHES[of(line.agent).style % DASHES.length];
      group.append(s("path", { d: path(places), class: "line", "stroke-dasharray": dashes }));
      const every = places.length <= 12 ? 1 : Math.ceil(places.length / 6);
      for (let k = every === 1 ? 0 : Math.floor(((line.agent % 5) * every) / 5); k < places.length; k += every) {
        group.append(marker(of(line.agent), ...places[k]));
      }
      svg.append(group);
      line.x.forEach((value, k) =>
        points.push({
          x: places[k][0],
          y: places[k][1],
          series: `agent ${line.agent}`,
          order: line.agent,
          fragment: `condition=${condition()}`,
          text: [
            `Agent ${numbered(line.agent)}`,
            `policy update: ${figure(value, "count")}`,
            `${measure.title}: ${figure(line.y[k], measure.unit)}`,
            line.low[k] === null ? "one seed" : `interval ${fromTo(line.y[k], line.low[k], line.high[k], measure.unit)}`,
          ],
        }),
      );
    }
    if (labelled) agentNames(svg, drawn, y, place, of, right);
    return [top + height + foot, points];
  };

  const describe = () => {
    const each = lines().map(
      ({ agent, x, y }) =>
        `agent ${numbered(agent)}: from ${figure(y[0], measure.unit)} at update ${x[0]} to ${figure(y.at(-1), measure.unit)} at update ${x.at(-1)}`,
    );
    return `Line chart of ${measure.title} by agent. ${each.join(". ")}.${faultsInWords(bands(), "count")}`;
  };

  const chosen = () => {
    chart?.redraw();
    table.refresh();
    faults.replaceChildren(faultKey(bands()));
    caption.replaceChildren(
      `${capital(measure.title)} over the updates of training, one line per agent: ${measure.estimate}.`,
    );
  };
  const there = [...new Set(measures.flatMap(({ lines: all }) => all.map(([, agent]) => agent)))].sort((a, b) => a - b);
  const options = measures.map(({ name, title }) => [name, title]);
  host.append(
    h("h3", {}, "Agents"),
    h(
      "div",
      { class: "controls" },
      choice("Show", options, measure.name, (name) => {
        measure = measures.find((each) => each.name === name);
        chosen();
      }),
      there.length > 1
        ? choice("Agents", [["all", "all"], ...there.map((agent) => [String(agent), numbered(agent)])], only, (agent) => {
            only = agent;
            chosen();
          })
        : null,
    ),
    figureElement,
  );
  chart = new Chart(figureElement, describe, draw);
  figureElement.append(faults, caption, table);
  chosen();
  return chosen;
}

/** Names at the ends of the agents' lines, pushed apart where they would meet. */
function agentNames(svg, lines, y, { left, top, width, height }, of, right) {
  const ends = lines.map(({ agent, y: values }) => ({ agent, at: y(values.at(-1)) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, k) => (end.place = Math.max(end.at, k ? ends[k - 1].place + 17 : top + 6)));
  for (let k = ends.length - 1, most = top + height; k >= 0; k--, most -= 17) {
    ends[k].place = Math.min(ends[k].place, most);
  }
  for (const { agent, place } of ends) {
    svg.append(
      s(
        "g",
        { class: `hue hue-${agent % 10}` },
        marker(of(agent), left + width + 12, place, 0.9),
        s("text", { x: left + width + 22, y: place + 4, class: "label" }, fitted(endLabel(agent), right - 24)),
      ),
    );
  }
}

/** A table of links, each with a strip of what it dropped over time; returns what to call for a redraw. */
function linkStrips(host, { place, ends, quantities, totals, conditions }, condition, headed) {
  let quantity = 0;
  const box = h("div", { id: "links" });
  const note = h("p", { class: "soft" });
  const share = (value) => `${(100 * value).toFixed(1)} %`;
  const written = (value) => (quantities[quantity].name === "utilisation" ? share(value) : figure(value, "count"));
  const when = (k) => {
    const from = k ? ends[k - 1] + 1 : 1;
    const unit = place.name.replace(/s$/, "");
    return from >= ends[k] ? `${unit} ${figure(ends[k], "count")}` : `${unit}s ${figure(from, "count")} to ${figure(ends[k], "count")}`;
  };
  const strip = (name, values, most) => {
    const svg = s("svg", {
      class: "heat",
      role: "img",
      viewBox: `0 0 ${ends.at(-1)} 1`,
      preserveAspectRatio: "none",
      "aria-label": `${name}: ${quantities[quantity].title}, ${values.filter((v) => v > 0).length} of ${values.length} intervals above 0`,
    });
    values.forEach((value, k) => {
      if (value === null) return;
      const from = k ? ends[k - 1] : 0;
      const cell = s("rect", { x: from, y: 0, width: ends[k] - from, height: 1, class: value > 0 ? "hot" : "cold" });
      if (value > 0) cell.setAttribute("fill-opacity", (0.2 + (0.8 * value) / most).toFixed(3));
      cell.append(s("title", {}, `${name}, ${when(k)}: ${written(value)}`));
      svg.append(cell);
    });
    return svg;
  };
  const numbers = numbersOf(() =>
    plainTable(
      `${capital(quantities[quantity].title)} by link and ${place.title}`,
      ["direction", place.title, quantities[quantity].title],
      conditions[condition()].links.flatMap(([name, , series]) =>
        series[quantity].flatMap((value, k) => (value > 0 ? [[name, when(k), written(value)]] : [])),
      ),
    ),
  );
  const chosen = () => {
    const { links, more } = conditions[condition()];
    const most = Math.max(1e-12, ...links.flatMap(([, , series]) => series[quantity]).filter((v) => v !== null));
    const head = ["direction", `${quantities[quantity].title}, by ${place.title}`, ...totals];
    const rows = links.map(([name, sums, series]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        h("td", { class: "strip-cell" }, strip(name, series[quantity], most)),
        sums.map((sum) => h("td", { class: "number" }, figure(sum, "count"))),
      ),
    );
    const heads = head.map((title, i) => h("th", { scope: "col", class: i > 1 ? "number" : null }, title));
    box.replaceChildren(
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Packets of each direction over time" },
        h("table", { "aria-label": "Packets of each direction over time" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
      ),
    );
    const left = more ? ` ${more} directions that dropped fewer packets are left out.` : "";
    const any = links.some(([, , series]) => series[quantity].some((v) => v > 0));
    const scale = any ? `, and its strongest colour stands for ${written(most)}.` : ". There are none in this condition.";
    const reach = `Each strip goes from ${when(0)} to ${when(ends.length - 1)}`;
    note.textContent = `Means over the seeds. ${reach}${scale}${left}`;
    numbers.refresh();
  };
  host.append(
    headed ? h("h3", {}, "Links") : "", // otherwise the section is called so
    h(
      "div",
      { class: "controls" },
      choice(
        "Show",
        quantities.map(({ title }, i) => [String(i), title]),
        "0",
        (i) => {
          quantity = Number(i);
          chosen();
        },
      ),
    ),
    box,
    note,
    numbers,
  );
  chosen();
  return chosen;
}
