// Tables that sort by the buttons in their headers, and highlight the selected rows.

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [row, row.cells[column]]);
      rows.sort(([, a], [, b]) => compared(a, b, ascending ? 1 : -1));
      body.append(...rows.map(([row]) => row));
    });
  });
}

/** Numbers by size, text by alphabet, and what is empty last whichever way. */
function compared(a, b, way) {
  const [x, y] = [a.dataset.v ?? a.textContent, b.dataset.v ?? b.textContent];
  if (!x || !y) return (x ? 0 : 1) - (y ? 0 : 1);
  const [p, q] = [Number(x), Number(y)];
  if (!Number.isNaN(p) && !Number.isNaN(q)) return way * (p - q);
  return way * x.localeCompare(y, "en", { numeric: true });
}

/** Marks the selected rows; the other trials can be hidden. */
function selectableTables() {
  let only = false;
  const bar = document.getElementById("selected");
  const trials = document.getElementById("trials");
  const update = () => {
    const any = selection.trials.size > 0;
    for (const row of document.querySelectorAll("tr[data-key]")) {
      const [kind, value] = row.dataset.key.split("=");
      const on =
        kind === "trial"
          ? selection.trials.has(data.trials.indexOf(value))
          : kind === "condition" && selection.condition === Number(value);
      row.classList.toggle("on", on);
      if (on) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
      if (kind === "trial") row.hidden = any && only && !on;
    }
    if (!any) {
      bar.replaceChildren(
        h("p", {}, "Choose a point of a chart, or a trial by its number, to see it in the other."),
      );
      return;
    }
    bar.replaceChildren(
      h("p", { role: "status" }, `${selectedWords()}.`),
      h(
        "button",
        { type: "button", "aria-pressed": String(only), onclick: () => ((only = !only), update()) },
        "Only these",
      ),
      h("a", { class: "button", href: "#all" }, "Select nothing"),
      h("a", { class: "button", href: "#answer" }, "See the curve ↑"),
    );
  };
  document.querySelectorAll("main table[id]").forEach(sortable);
  onSelection(() => {
    update();
    // On a long page the row may be anywhere; within its own box it is brought into sight.
    const row = trials.querySelector("tr.on");
    const box = trials.parentElement;
    if (row && box) box.scrollTop = row.offsetTop - box.clientHeight / 2;
  });
  update();
}
