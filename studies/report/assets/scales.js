// From numbers to places and words.

const minus = (text) => text.replace("-", "\u2212");

/** 1,200 or 0.0312 or 3.2e+9: four digits, as the tables have it. */
function figure(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return minus(value.toExponential(2));
  if (Number.isInteger(value) || size >= 1e4) return minus(Math.round(value).toLocaleString("en"));
  return minus(String(Number(value.toPrecision(4))));
}

/** Beside an axis: 20k, 3M. */
function short(value) {
  const size = Math.abs(value);
  for (const [unit, name] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (size >= unit && size >= 1e4) return minus(`${Number((value / unit).toPrecision(3))}${name}`);
  }
  if (size > 0 && size < 1e-3) return minus(value.toExponential(0));
  return minus(String(Number(value.toPrecision(4))));
}

/** Simulated time. */
function seconds(value) {
  if (value > 0 && value < 1) return `${Number((value * 1000).toPrecision(4))} ms`;
  return `${Number(value.toPrecision(5))} s`;
}

function linear([low, high], [from, to]) {
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const scale = (value) => from + ((value - low) / (high - low)) * (to - from);
  scale.ticks = (count) => {
    const rough = (high - low) / Math.max(count, 1);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
      ticks.push(Number((i * step).toPrecision(12)));
    }
    return ticks;
  };
  return scale;
}

function logarithmic([low, high], [from, to]) {
  if (low === high) [low, high] = [low / 2, high * 2];
  const [a, b] = [Math.log(low), Math.log(high)];
  const scale = (value) => from + ((Math.log(value) - a) / (b - a)) * (to - from);
  scale.ticks = (count) => {
    const decades = Math.log10(high / low);
    const factors = decades < 1.2 ? [1, 2, 3, 5] : decades < 3 ? [1, 3] : [1];
    const every = Math.max(1, Math.ceil(decades / Math.max(count, 1)));
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
      if (power % every) continue;
      for (const factor of factors) {
        const tick = Number(`${factor}e${power}`);
        if (tick >= low && tick <= high) ticks.push(tick);
      }
    }
    return ticks.length > 1 ? ticks : linear([low, high], [from, to]).ticks(count);
  };
  return scale;
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
  if (log) return [low / (high / low) ** 0.04, high * (high / low) ** 0.04];
  return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
}

/** Of ascending numbers how many are at most `value`. */
function upTo(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
