// Curves: a line with its band for each condition, and the seeds of what is selected.

function curvesChart() {
  const host = document.getElementById("curves");
  const { xs, measures } = data.curves;
  if (!measures.length) return;
  let measure = measures[0];
  let axis = measure.axes[0].name;
  let chart = null;
  const controls = h("div", { class: "controls" });
  const figureElement = h("figure", { id: "curves-figure" });
  const caption = h("figcaption", {});
  const faults = h("div", {});
  const table = numbersOf(() => tableOfLines());
  const bands = () => faultBands(measure.name.split(".")[0], axis);

  const lines = () =>
    measure.lines
      .filter(([i, name]) => name === axis && visible(data.conditions[i]))
      .map(([i, , x, y, low, high]) => ({ i, condition: data.conditions[i], x: xs[x], y, low, high }));

  const runs = () => {
    const wanted = measure.runs.filter(([trial, , places]) => selection.trials.has(trial) && axis in places);
    return wanted.map(([trial, y, places]) => ({
      trial,
      condition: data.conditions[conditionOf[trial]],
      x: xs[places[axis]],
      y,
    }));
  };

  const axisUnit = () => measure.axes.find(({ name }) => name === axis).unit;
  const axisTitle = () => measure.axes.find(({ name }) => name === axis).title;
  const chosen = () => {
    chart?.redraw();
    table.refresh();
    faults.replaceChildren(faultKey(bands()));
    const without = new Set(data.conditions.filter(visible));
    lines().forEach(({ condition }) => without.delete(condition));
    const started = [...without].filter(({ trials }) =>
      measure.runs.some(([trial]) => trials.includes(trial)),
    );
    const missing = started.length
      ? ` No line on this axis, which is constant for them: ${started.map(({ label }) => label).join("; ")}.`
      : "";
    const what = measure.of ? `, ${measure.of}` : "";
    caption.replaceChildren(
      `${capital(measure.title)}${what}, against ${axisTitle()}: ${measure.estimate}.${missing}`,
    );
  };

  const buildControls = () => {
    controls.replaceChildren(
      choice(
        "Show",
        measures.map(({ name, title, of }) => [
          name,
          `${title}${of && measures.filter((m) => m.title === title).length > 1 ? ` (${of})` : ""}`,
        ]),
        measure.name,
        (name) => {
          measure = measures.find((each) => each.name === name);
          if (!measure.axes.some((each) => each.name === axis)) axis = measure.axes[0].name;
          buildControls();
          chosen();
          controls.querySelector("select").focus();
        },
      ),
      choice(
        "against",
        measure.axes.map(({ name, title }) => [name, title]),
        axis,
        (name) => {
          axis = name;
          chosen();
        },
      ),
    );
  };

  const describe = () => {
    const each = lines().map(
      ({ condition, x, y }) =>
        `${condition.label}: from ${figure(y[0], measure.unit)} at ${figure(x[0], axisUnit())} to ${figure(y.at(-1), measure.unit)} at ${figure(x.at(-1), axisUnit())}`,
    );
    return `Line chart of ${measure.title} against ${axisTitle()}; ${measure.estimate}. ${each.join(". ")}.${faultsInWords(bands(), axisUnit())}`;
  };

  const draw = (svg, width) => {
    const drawn = lines();
    const single = runs();
    const panels = data.panels
      .map((title, i) => ({ title, i }))
      .filter(({ i }) => data.conditions.some((c) => c.panel === i));
    const columns = Math.max(1, Math.min(panels.length, Math.floor(width / 400)));
    const labelled =
      columns === 1 &&
      panels.length === 1 &&
      width >= 700 &&
      drawn.length <= 10 &&
      data.conditions.length > 1;
    const longest = Math.max(0, ...drawn.map(({ condition }) => condition.short.length));
    const right = labelled ? Math.min(34 + longest * 7.6, width * 0.28) : 14;
    const [top, foot] = [panels.length > 1 ? 34 : 26, 50];
    const height = panels.length > 1 ? 230 : Math.min(400, Math.max(260, width * 0.5));
    const all = [
      ...drawn.flatMap(({ y, low, high }) => [...y, ...low, ...high]),
      ...single.flatMap(({ y }) => y),
    ];
    const references = data.references.filter(({ means }) => measureOf(measure.name) in means);
    if (!measure.log) all.push(...references.map(({ means }) => means[measureOf(measure.name)]));
    const yDomain = extent(all, measure.log);
    const names = labels(yTicks((measure.log ? logarithmic : linear)(yDomain, [height, 0]), height));
    const left = Math.max(58, 14 + 7 * Math.max(...names.map((name) => name.length)));
    const wide = (width - columns * (left + right)) / columns;
    const points = [];
    svg.append(s("text", { x: 0, y: 12, class: "axis-title" }, fitted(measure.title, width)));
    panels.forEach(({ title, i }, n) => {
      const place = {
        left: (n % columns) * (left + wide + right) + left,
        top: Math.floor(n / columns) * (top + height + foot) + top + (panels.length > 1 ? 14 : 0),
        width: wide,
        height,
      };
      const here = drawn.filter(({ condition }) => condition.panel === i);
      const seeds = single.filter(({ condition }) => condition.panel === i);
      const xDomain = [...here, ...seeds].flatMap((line) => [line.x[0], line.x.at(-1)]);
      const x = linear(xDomain.length ? [Math.min(...xDomain), Math.max(...xDomain)] : [0, 1], [
        place.left,
        place.left + wide,
      ], axisUnit() === "count");
      const y = (measure.log ? logarithmic : linear)(yDomain, [place.top + height, place.top]);
      axes(svg, place, x, y, axisTitle(), fitted(title, wide));
      drawFaultBands(svg, place, x, bands().filter(({ panel }) => panel === i));
      for (const { panel, policy, means } of measure.log ? [] : references) {
        if (panel === i) reference(svg, place, y(means[measureOf(measure.name)]), policy);
      }
      // The first conditions on top: what agrees for longer lies below what ends earlier.
      const order = [...here]
        .reverse()
        .sort((a, b) => (a.i === selection.condition) - (b.i === selection.condition));
      for (const line of order) drawLine(svg, line, x, y, points, here.indexOf(line));
      for (const run of seeds) drawRun(svg, run, x, y, points);
      if (labelled)
        endLabels(
          svg,
          here.filter((line) => x(line.x.at(-1)) > place.left + 0.9 * wide),
          y,
          place,
        );
    });
    points.sort((a, b) => a.order - b.order); // for the keyboard: as in the study, not as they are drawn
    const rows = Math.ceil(panels.length / columns);
    return [rows * (top + height + foot) + 14, points];
  };

  const drawLine = (svg, line, x, y, points, number) => {
    const { condition } = line;
    const faded = selection.condition !== null && selection.condition !== line.i;
    const group = s("g", { class: `${colour(condition.hue)}${faded ? " faded" : ""}` });
    const places = line.x.map((value, k) => [x(value), y(line.y[k])]);
    if (line.low.some((value) => value !== null)) {
      const upper = line.x.map((value, k) => [x(value), y(line.high[k])]);
      const lower = line.x.map((value, k) => [x(value), y(line.low[k])]);
      group.append(s("path", { d: `${path([...upper, ...lower.reverse()])}Z`, class: "band" }));
    }
    group.append(
      s("path", {
        d: path(places),
        class: "line",
        "stroke-dasharray": DASHES[condition.style % DASHES.length],
      }),
    );
    const every = line.x.length <= 12 ? 1 : Math.ceil(line.x.length / 6);
    for (let k = every === 1 ? 0 : (number * every) / 5 + every / 2; k < places.length; k += every) {
      group.append(marker(condition, ...places[Math.floor(k)]));
    }
    svg.append(group);
    line.x.forEach((value, k) => {
      const between = fromTo(line.y[k], line.low[k], line.high[k], measure.unit);
      const band = line.low[k] === null ? "one seed" : line.low[k] === line.high[k] ? "all seeds equal" : `interval ${between}`;
      points.push({
        x: places[k][0],
        y: places[k][1],
        series: `line ${line.i}`,
        order: line.i,
        fragment: `condition=${line.i}`,
        text: [
          condition.label,
          `${axisTitle()}: ${figure(value, axisUnit())}`,
          `${measure.title}: ${figure(line.y[k], measure.unit)}`,
          band,
        ].filter(Boolean),
      });
    });
  };

  const drawRun = (svg, run, x, y, points) => {
    const places = run.x.map((value, k) => [x(value), y(run.y[k])]);
    svg.append(
      s(
        "g",
        { class: colour(run.condition.hue) },
        s("path", { d: path(places), class: "run", "data-trial": data.trials[run.trial] }),
      ),
    );
    run.x.forEach((value, k) => {
      points.push({
        x: places[k][0],
        y: places[k][1],
        series: `trial ${run.trial}`,
        order: data.conditions.length + run.trial,
        fragment: `trial=${data.trials[run.trial]}`,
        text: [
          `Trial ${run.trial + 1}: ${data.titles[run.trial]}`,
          `${axisTitle()}: ${figure(value, axisUnit())}`,
          `${measure.title}: ${figure(run.y[k], measure.unit)}`,
        ],
      });
    });
  };

  const tableOfLines = () =>
    plainTable(
      `${capital(measure.title)} against ${axisTitle()}`,
      ["condition", axisTitle(), measure.estimate, "from", "to"],
      lines().flatMap(({ condition, x, y, low, high }) =>
        x.map((value, k) => {
          const [text, from, to, name] =
            low[k] === null ? [figure(y[k], measure.unit), "", "", ""] : spread(y[k], low[k], high[k], measure.unit);
          const units = (number) => (name ? `${number} ${name}` : number);
          return [condition.label, figure(value, axisUnit()), units(text), units(from), units(to)];
        }),
      ),
    );

  buildControls();
  host.append(controls, figureElement);
  chart = new Chart(figureElement, describe, draw);
  figureElement.append(faults, caption, table);
  redraws.push(chosen);
  chosen();
}

const measureOf = (name) =>
  name
    .split(".")
    .at(-1)
    .replace(/^evaluation_/, "");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const path = (places) =>
  places.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** Baseline of a policy without learning: a thin line across a panel. */
function reference(svg, { left, width }, y, policy) {
  const name = policy === "random" ? "random play" : `scripted: ${policy}`;
  svg.append(
    s("line", { x1: left, x2: left + width, y1: y, y2: y, class: "reference" }),
    s("text", { x: left + width - 2, y: y - 5, class: "tick end" }, name),
  );
}

/** Names at the ends of the lines, pushed apart where they would meet. */
function endLabels(svg, lines, y, { left, top, width, height }) {
  const labels = lines
    .map(({ condition, y: values, i }) => ({ condition, i, at: y(values.at(-1)) }))
    .sort((a, b) => a.at - b.at);
  labels.forEach((label, k) => (label.place = Math.max(label.at, k ? labels[k - 1].place + 17 : top + 6)));
  for (let k = labels.length - 1, most = top + height; k >= 0; k--, most -= 17) {
    labels[k].place = Math.min(labels[k].place, most);
  }
  for (const { condition, i, place } of labels) {
    const faded = selection.condition !== null && selection.condition !== i;
    svg.append(
      s(
        "g",
        { class: `${colour(condition.hue)}${faded ? " faded" : ""}` },
        marker(condition, left + width + 12, place, 0.9),
        s("text", { x: left + width + 22, y: place + 4, class: "label" }, fitted(condition.short, 250, 7.6)),
      ),
    );
  }
}
