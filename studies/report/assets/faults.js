// Bands behind the curves where faults were active, and the list of what their letters stand for.

const faultLetter = (fault) => String.fromCharCode(65 + (fault % 26)) + (fault < 26 ? "" : Math.floor(fault / 26));

/** All bands on an axis of a table. */
function allFaultBands(table, axis) {
  return (data.faults.bands[table]?.[axis] ?? []).map(([fault, panel, condition, low, high]) => ({
    fault,
    panel,
    condition,
    low,
    high,
  }));
}

/** The bands on an axis of a table, for conditions that are switched on. */
function faultBands(table, axis) {
  return allFaultBands(table, axis).filter(({ condition }) => condition === null || visible(data.conditions[condition]));
}

/** Draws the bands of one panel: shared ones over its height, those of single conditions as bars at its foot. */
function drawFaultBands(svg, { left, top, width, height }, x, bands) {
  const group = s("g", { class: "faults" });
  const rows = [...new Set(bands.map(({ fault }) => fault))];
  const own = [...new Set(bands.filter((b) => b.condition !== null).map((b) => `${b.condition} ${b.fault}`))];
  const bar = Math.min(15, (0.4 * height) / Math.max(own.length, 1));
  for (const { fault, condition, low, high } of bands) {
    const [from, to] = [low, high].map((end) => Math.min(Math.max(x(end), left), left + width));
    if (!(to > from)) continue;
    const letter = (y, more = "") => {
      // Words that begin in the right part end at the bar's end, so as not to leave the panel.
      const right = more && from - left > 0.5 * width;
      const place = right ? { x: to - 4, class: "fault-letter end" } : { x: from + 4, class: "fault-letter" };
      return s("text", { ...place, y }, faultLetter(fault), more && s("tspan", {}, ` ${fitted(more, width / 2)}`));
    };
    if (condition === null) {
      group.append(s("rect", { x: from, y: top, width: to - from, height, class: "fault-band" }));
      for (const end of [from, to]) {
        group.append(s("line", { x1: end, x2: end, y1: top, y2: top + height, class: "fault-edge" }));
      }
      group.append(letter(top + 14 + 16 * (rows.indexOf(fault) % 12)));
    } else {
      const y = top + height - bar * (own.indexOf(`${condition} ${fault}`) + 1);
      group.append(
        s("rect", {
          x: from,
          y,
          width: to - from,
          height: bar - 1,
          class: `${colour(data.conditions[condition].hue)} fault-bar`,
        }),
        letter(y + bar / 2 + 4, data.conditions[condition].short),
      );
    }
  }
  svg.append(group);
}

/** The faults that are shown, with their letters; nothing without a fault. */
function faultKey(bands) {
  const faults = [...new Set(bands.map(({ fault }) => fault))].sort((a, b) => a - b);
  if (!faults.length) return "";
  const items = faults.map((fault) =>
    h("li", {}, h("strong", {}, faultLetter(fault)), " ", data.faults.names[fault]),
  );
  return h(
    "div",
    { class: "fault-key" },
    h("p", { class: "soft" }, "Shaded while a fault was active in all seeds:"),
    h("ul", {}, items),
  );
}

/** The bands in words. */
function faultsInWords(bands, unit) {
  const each = bands.map(({ fault, condition, low, high }) => {
    const whose = condition === null ? "" : ` (${data.conditions[condition].label})`;
    return `${faultLetter(fault)}, ${data.faults.names[fault]}${whose}, from ${figure(low, unit)} to ${figure(high, unit)}`;
  });
  return each.length ? ` Faults: ${each.join("; ")}.` : "";
}
