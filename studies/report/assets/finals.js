// Final numbers: a row for each condition with its interval, and a small dot for each trial.

function finalsChart() {
  const host = document.getElementById("finals");
  if (!data.finals.length) return;
  let final = data.finals[0];
  let chart = null;
  const figureElement = h("figure", { id: "finals-figure" });
  const caption = h("figcaption", {});
  const table = numbersOf(() =>
    plainTable(
      capital(final.title),
      ["condition", final.estimate, "interval", "seeds"],
      rows().map(([i, value, low, high, seeds, missing]) => [
        data.conditions[i].label,
        valueOf(value, low, high),
        missing || fromTo(value, low, high, final.unit),
        String(seeds),
      ]),
    ),
  );
  const valueOf = (value, low, high) => {
    if (low === null) return figure(value, final.unit);
    const [text, , , name] = spread(value, low, high, final.unit);
    return name ? `${text} ${name}` : text;
  };
  const intervalOf = ([, value, low, high, seeds, missing]) =>
    missing ? `(${missing})` : low === null ? "" : `[${fromTo(value, low, high, final.unit).replace(" to ", ", ")}]`;
  const rows = () => final.rows.filter(([i]) => visible(data.conditions[i]));
  const chosen = () => {
    chart?.redraw();
    table.refresh();
    const dots = final.runs.length ? " A small dot for each trial." : "";
    caption.replaceChildren(`${capital(final.title)}, ${final.of}: ${final.estimate}.${dots}`);
  };
  const describe = () => {
    const each = rows().map(
      ([i, value, low, high, , missing]) =>
        `${data.conditions[i].label}: ${valueOf(value, low, high)}, ${missing || `interval ${fromTo(value, low, high, final.unit)}`}`,
    );
    return `Chart of ${final.title}, ${final.of}; ${final.estimate}. ${each.join(". ")}.`;
  };

  const draw = (svg, width) => {
    const narrow = width < 620;
    const longest = Math.max(...data.conditions.map(({ short }) => short.length));
    const left = narrow
      ? 10
      : Math.min(
          Math.max(
            30 + longest * 7,
            34 + 7 * Math.min([data.hue.title, data.style.title].join(", ").length, 36),
          ),
          width * 0.33,
        );
    const present = rows();
    const written = (row) => `${valueOf(...row.slice(1, 4))} ${intervalOf(row)}`;
    const right = narrow ? 12 : 26 + 6.8 * Math.max(0, ...present.map((row) => written(row).length));
    const [step, head] = [narrow ? 54 : 36, 34];
    const values = [
      ...present.flatMap(([, value, low, high]) => [value, low, high]),
      ...final.runs
        .filter(([trial]) => visible(data.conditions[conditionOf[trial]]))
        .map(([, value]) => value),
    ];
    if (final.nothing !== undefined) values.push(final.nothing);
    const references =
      final.nothing === undefined && !final.log
        ? data.references.filter(({ means }) => measureOf(final.name) in means)
        : [];
    const x = (final.log ? logarithmic : linear)(
      extent([...values, ...references.map(({ means }) => means[measureOf(final.name)])], final.log),
      [left, width - right],
    );
    const points = [];
    let top = 24;
    const told = [data.hue.title, data.style.title].filter(Boolean).join(", ");
    svg.append(
      s(
        "text",
        { x: narrow ? 0 : left, y: 12, class: "axis-title" },
        fitted(narrow && told ? `${final.title} by ${told}` : final.title, narrow ? width : width - left),
      ),
    );
    if (!narrow)
      svg.append(s("text", { x: left - 16, y: 12, class: "axis-title end" }, fitted(told, left - 16)));
    const ticks = fittingTicks(x, width - left - right);
    data.panels.forEach((title, panel) => {
      const here = present.filter(([i]) => data.conditions[i].panel === panel);
      if (!here.length) return;
      if (title)
        svg.append(s("text", { x: 0, y: (top += head) - 10, class: "panel-title" }, fitted(title, width)));
      const bottom = top + here.length * step;
      for (const tick of ticks)
        svg.append(s("line", { x1: x(tick), x2: x(tick), y1: top, y2: bottom, class: "grid" }));
      if (final.nothing !== undefined)
        svg.append(
          s("line", { x1: x(final.nothing), x2: x(final.nothing), y1: top, y2: bottom, class: "reference" }),
        );
      for (const { policy, means } of references.filter((each) => each.panel === panel)) {
        const at = x(means[measureOf(final.name)]);
        const name = policy === "random" ? "random play" : `scripted: ${policy}`;
        svg.append(
          s("line", { x1: at, x2: at, y1: top, y2: bottom, class: "reference" }),
          s("text", { x: at + 5, y: bottom - 4, class: "tick" }, name),
        );
      }
      here.forEach((row, k) =>
        drawRow(svg, row, x, top + k * step, { narrow, step, left, width, right }, points),
      );
      top = bottom;
    });
    svg.append(...xTicks(x, left, width - left - right, top + 18));
    return [top + 28, points];
  };

  const drawRow = (
    svg,
    row,
    x,
    top,
    { narrow, step, left, width, right },
    points,
  ) => {
    const [i, value, low, high, seeds, missing] = row;
    const condition = data.conditions[i];
    const faded = selection.condition !== null && selection.condition !== i;
    const y = narrow ? top + 34 : top + step / 2 - 3;
    const interval = intervalOf(row);
    const said = valueOf(value, low, high);
    const group = s("g", { class: `${colour(condition.hue)}${faded ? " faded" : ""}` });
    for (const [trial, own] of final.runs) {
      if (conditionOf[trial] !== i || (final.log && own <= 0)) continue;
      const on = selection.trial === trial;
      group.append(s("circle", { cx: x(own), cy: y + 10, r: on ? 5 : 3, class: `dot${on ? " on" : ""}` }));
      points.push({
        x: x(own),
        y: y + 10,
        series: `row ${i}`,
        fragment: `trial=${data.trials[trial]}`,
        text: [`Trial ${trial + 1}: ${data.titles[trial]}`, `${final.title}: ${figure(own, final.unit)}`],
      });
    }
    if (low !== null) group.append(s("line", { x1: x(low), x2: x(high), y1: y, y2: y, class: "interval" }));
    group.append(marker(condition, x(value), y, 1.2));
    if (narrow) {
      group.append(
        s(
          "text",
          { x: 0, y: top + 18, class: "label" },
          fitted(`${condition.short}:  ${said} ${interval}`, width),
        ),
      );
    } else {
      group.append(
        s("text", { x: left - 16, y: y + 4, class: "label end" }, fitted(condition.short, left - 20)),
        s(
          "text",
          { x: width - right + 16, y: y + 4, class: "label" },
          said,
          s("tspan", { class: "soft", dx: 6 }, interval),
        ),
      );
    }
    svg.append(group);
    points.push({
      x: x(value),
      y,
      series: `row ${i}`,
      fragment: `condition=${i}`,
      text: [
        condition.label,
        `${final.title}: ${said}`,
        missing || (low !== null && `interval ${fromTo(value, low, high, final.unit)}`),
        `${seeds} ${seeds === 1 ? "seed" : "seeds"}`,
      ].filter(Boolean),
    });
  };

  const choices = data.finals.map(({ name, title, of }) => [
    name,
    of.startsWith("at") ? title : `${title} (${of})`,
  ]);
  if (choices.length > 1) {
    host.append(
      h(
        "div",
        { class: "controls" },
        choice("Final numbers:", choices, final.name, (name) => {
          final = data.finals.find((each) => each.name === name);
          chosen();
        }),
      ),
    );
  }
  host.append(figureElement);
  chart = new Chart(figureElement, describe, draw);
  figureElement.append(caption, table);
  redraws.push(chosen);
  chosen();
}
