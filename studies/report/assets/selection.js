// The selection: a trial or a condition. It is part of the address, so that it can be shared and restored.

const conditionOf = data.trials.map(() => 0);
data.conditions.forEach((condition, i) => condition.trials.forEach((trial) => (conditionOf[trial] = i)));

const selection = { condition: null, trial: null, trials: new Set() };
const listeners = [];

/** Calls `listener` whenever something else is selected. */
function onSelection(listener) {
  listeners.push(listener);
}

/** Selects what a fragment such as `trial=...` or `condition=3` says; the same once more: nothing. */
function select(fragment) {
  const wanted = location.hash === `#${fragment}` ? "all" : fragment;
  location.hash = wanted;
}

function readAddress() {
  const [name, value] = location.hash.slice(1).split("=");
  let [condition, trial] = [null, null];
  if (name === "trial" && data.trials.includes(value)) {
    trial = data.trials.indexOf(value);
    condition = conditionOf[trial];
  } else if (name === "condition" && data.conditions[Number(value)]) {
    condition = Number(value);
  } else if (name !== "all") {
    return; // an address of a part of the page
  }
  const members = trial !== null ? [trial] : condition !== null ? data.conditions[condition].trials : [];
  Object.assign(selection, { condition, trial, trials: new Set(members) });
  listeners.forEach((listener) => listener());
}

window.addEventListener("hashchange", readAddress);

/** The selection in words. */
function selectedWords() {
  if (selection.trial !== null)
    return `Trial ${selection.trial + 1} selected: ${data.titles[selection.trial]}`;
  const { label, trials } = data.conditions[selection.condition];
  return `${trials.length} ${trials.length === 1 ? "trial" : "trials"} selected: ${label}`;
}
