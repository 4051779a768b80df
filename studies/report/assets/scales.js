// From numbers to places and words.

const minus = (text) => text.replace(/(?<!e)-/, "\u2212");

// As in formatting.py: numbers in a unit that suits them, and intervals with digits that tell their ends apart.
const UNITS = {
  bytes: [
    [1e3, 1, "B"],
    [1e6, 1e3, "kB"],
    [1e9, 1e6, "MB"],
    [1e12, 1e9, "GB"],
    [Infinity, 1e12, "TB"],
  ],
  seconds: [
    [1e-6, 1e-9, "ns"],
    [1e-3, 1e-6, "\u00b5s"],
    [1, 1e-3, "ms"],
    [120, 1, "s"],
    [7200, 60, "min"],
    [Infinity, 3600, "h"],
  ],
};

/** What one is of the unit in which a number of a size is shown, and its name. */
function scaleOf(size, unit) {
  if (!(unit in UNITS)) return [1, ""];
  if (!size) return [1, { bytes: "B", seconds: "s" }[unit]];
  return UNITS[unit].find(([below]) => size < below).slice(1);
}

/** Numbers in one unit, to so many significant digits, and its name; `padded` keeps zeros at the end. */
function writtenNumbers(values, unit, digits, padded) {
  const [one, name] = scaleOf(Math.max(...values.map(Math.abs)), unit);
  const exact = values.map((value) => value / one);
  const large = unit === "count" ? 1e15 : 1e7;
  if (exact.every((value) => Number.isInteger(value) && Math.abs(value) < large)) {
    return [exact.map((value) => minus((value || 0).toLocaleString("en"))), name];
  }
  const rounded = exact.map((value) => {
    if (!value) return null;
    const size = Number(value.toExponential().split("e")[1]);
    const most = Math.abs(value) < large ? Math.max(digits, size + 1) : digits;
    return value.toExponential(most - 1);
  });
  const scientific = rounded.some((text) => text && !(Math.abs(text) >= 1e-4 && Math.abs(text) < large));
  const write = (text) => {
    if (!text) return "0";
    const [mantissa, power] = text.split("e");
    const size = Number(power);
    if (scientific) {
      const shown = padded ? Number(mantissa).toFixed(digits - 1) : String(Number(mantissa));
      return minus(`${shown}e${size < 0 ? "-" : "+"}${String(Math.abs(size)).padStart(2, "0")}`);
    }
    const all = mantissa.replace(/[-.]/g, "").padEnd(Math.max(size + 1, 1), "0").padStart(1 - size, "0");
    const whole = size < 0 ? "0" : all.slice(0, size + 1);
    let rest = size < 0 ? `${"0".repeat(-size - 1)}${mantissa.replace(/[-.]/g, "")}` : all.slice(size + 1);
    if (!padded) rest = rest.replace(/0+$/, "");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return `${mantissa.startsWith("-") ? "\u2212" : ""}${grouped}${rest ? `.${rest}` : ""}`;
  };
  return [rounded.map(write), name];
}

/** 12,345 or 0.0312 or 179 MB: four digits, as the tables have it; nothing for what is not a number. */
function figure(value, unit = "") {
  if (value === null || value === undefined) return "";
  const [[text], name] = writtenNumbers([value], unit, 4, false);
  return name ? `${text} ${name}` : text;
}

/** A value and the ends of its interval as text, and the unit that they are in. */
function spread(value, low, high, unit = "") {
  [low, high] = [Math.min(low, value), Math.max(high, value)];
  const size = Math.max(Math.abs(low), Math.abs(high)) / scaleOf(Math.max(Math.abs(low), Math.abs(high)), unit)[0];
  const width = (high - low) / scaleOf(Math.max(Math.abs(low), Math.abs(high)), unit)[0];
  let digits = 3;
  if (width > 0 && width < Infinity && size) {
    digits = Math.ceil(Math.floor(Math.log10(size)) + 1 - Math.log10(width) + Math.log10(4));
  }
  digits = Math.min(Math.max(digits, 3), 17);
  for (; ; digits++) {
    const [texts, name] = writtenNumbers([value, low, high], unit, digits, true);
    if (texts[1] !== texts[2] || low === high || digits === 17) return [...texts, name];
  }
}

/** `0.0120 to 0.0140`, `175 to 183 MB`; nothing without an interval. */
function fromTo(value, low, high, unit = "") {
  if (low === null || low === undefined) return "";
  const [, from, to, name] = spread(value, low, high, unit);
  return `${from} to ${to}${name ? ` ${name}` : ""}`;
}

// As in ticks.py: at least three in any range, with exact labels.
const SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";

/** Tick labels: 0.5, 20k, 1.5M; powers of ten for all where one needs it. */
function labels(values) {
  const sizes = values.map((value) => (value ? Number(value.toExponential().split("e")[1]) : 0));
  const powers = sizes.some((size) => size < -3 || size >= 15);
  return values.map((value, i) => {
    if (!value) return "0";
    const [size, sign] = [sizes[i], value < 0 ? "\u2212" : ""];
    const mantissa = value.toExponential().split("e")[0].replace("-", "");
    if (powers && size !== 0 && size !== 1) {
      const raised = String(Math.abs(size)).replace(/\d/g, (digit) => SUPERSCRIPTS[digit]);
      const times = mantissa === "1" ? "" : `${mantissa}\u00d7`;
      return `${sign}${times}10${size < 0 ? "\u207b" : ""}${raised}`;
    }
    if (size >= 4 && mantissa.replace(".", "").length > 6) {
      return sign + Math.abs(value).toLocaleString("en", { maximumFractionDigits: 15 });
    }
    for (const [power, suffix] of size >= 4 ? [[12, "T"], [9, "G"], [6, "M"], [3, "k"]] : []) {
      if (size >= power) return `${sign}${Number(`${mantissa}e${size - power}`)}${suffix}`;
    }
    return minus(String(value));
  });
}

/** Ticks whose labels have room side by side on so many pixels. */
function fittingTicks(scale, pixels) {
  for (let most = Math.max(3, Math.floor(pixels / 60)); ; most--) {
    const ticks = scale.ticks(most);
    const room = labels(ticks).reduce((sum, label) => sum + 7 * label.length + 12, 0);
    if (most <= 3 || room <= pixels) return ticks;
  }
}

/** Simulated time. */
function seconds(value) {
  if (value > 0 && value < 1) return `${Number((value * 1000).toPrecision(4))} ms`;
  return `${Number(value.toPrecision(5))} s`;
}

/** With `whole` ticks are integers. */
function linear([low, high], [from, to], whole = false) {
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  [low, high] = [low, high].map((end) => Math.min(Math.max(end, -Number.MAX_VALUE), Number.MAX_VALUE));
  const half = high / 2 - low / 2; // the whole may be infinite
  const scale = (value) => from + ((value / 2 - low / 2) / half) * (to - from);
  scale.ticks = (most) => linearTicks(low, high, most, whole);
  return scale;
}

/** Round numbers: at most `most` of them, or as few more as make three. */
function linearTicks(low, high, most, whole = false) {
  if (!Number.isFinite(high - low)) return linearTicks(low / 16, high / 16, most).map((tick) => 16 * tick);
  const power = Math.floor(Math.log10(high - low)) + 1;
  let found = [];
  for (let place = 0; place < 80; place++) {
    const [factor, size] = [[5, 2.5, 2, 1][place % 4], power - Math.floor(place / 4) - 1];
    if (factor === 2.5 && (found.length >= 3 || (whole && size < 1))) continue;
    const step = Number(`${factor}e${size}`);
    if (!step || (whole && size < 0)) break;
    const ticks = [];
    for (let i = Math.floor(low / step); i <= Math.ceil(high / step) && ticks.length < 99; i++) {
      const tick = Number(`${i * factor}e${size}`);
      if (tick >= low && tick <= high && tick !== ticks.at(-1)) ticks.push(tick);
    }
    if (ticks.length > most && found.length >= 3) break;
    found = ticks;
    if (found.length >= most) break;
  }
  return found.length ? found : [low, high];
}

function logarithmic([low, high], [from, to]) {
  if (low === high) [low, high] = [low / 2, high * 2];
  const [a, b] = [Math.log(low), Math.log(high)];
  const scale = (value) => from + ((Math.log(value) - a) / (b - a)) * (to - from);
  scale.ticks = (most) => logarithmicTicks(low, high, most);
  return scale;
}

/** Powers of ten and, where there are few, what lies between them. */
function logarithmicTicks(low, high, most) {
  const between = (factors) => {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
    }
    return ticks.filter((tick) => tick > 0 && tick >= low && tick <= high);
  };
  for (const factors of [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    const found = between(factors);
    if (found.length >= 3 && found.length <= most) return found;
  }
  const decades = between([1]);
  if (decades.length <= most) {
    const some = between([1, 2, 5]);
    return some.length >= 3 ? some : linearTicks(low, high, most);
  }
  const every = Math.ceil(decades.length / most);
  const found = decades.filter((tick) => Math.round(Math.log10(tick)) % every === 0);
  return found.length >= 3
    ? found
    : decades.filter((_, i) => i % Math.max(Math.floor((decades.length - 1) / 2), 1) === 0);
}

/** The least and greatest of numbers, with some room. */
function extent(values, log) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined || (log && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) return [low / (high / low) ** 0.04 || low, Math.min(high * (high / low) ** 0.04, Number.MAX_VALUE)];
  return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
}

/** The number of ascending numbers that are at most `value`. */
function upTo(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
