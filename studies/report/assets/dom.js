"use strict";
// Elements, and the numbers of the page.

const data = JSON.parse(document.getElementById("data").textContent);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** An HTML element; `onclick` and the like are listeners, all else attributes. */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function s(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A select with a label; `choices` are [value, text]. */
function choice(label, choices, value, onchange) {
  const select = h("select", { onchange: () => onchange(select.value) });
  for (const [name, text] of choices) {
    select.append(h("option", { value: name, selected: name === value ? "" : null }, text));
  }
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

/** A closed part that shows the numbers of a chart in a table, made when it is opened. */
function numbersOf(make) {
  const details = h("details", { class: "numbers" }, h("summary", {}, "The same numbers as a table"));
  let shown = null;
  const refresh = () => {
    shown?.remove();
    shown = null;
    if (details.open) details.append((shown = make()));
  };
  details.addEventListener("toggle", refresh);
  details.refresh = refresh;
  return details;
}

/** A plain table of text. */
function plainTable(caption, columns, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { "aria-label": caption },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) => h("th", { scope: "col" }, column)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
  );
}
