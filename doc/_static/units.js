// Write amounts as the site shows them: the same words as benchmarks/units.py.
"use strict";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const NARROW = "\u202f";
const SPACE = "\u00a0";

// Give a field a value from an address: of a list, only what is in it.
function give(field, value) {
  const options = field?.options && [...field.options].map((option) => option.value);
  if (field && (!options || options.includes(value))) field.value = value;
}

// A number with three significant digits, thousands grouped, without an exponent.
function significant(value, digits = 3) {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(digits));
  const exponent = Math.floor(Math.log10(Math.abs(rounded)));
  const [whole, fraction] = rounded.toFixed(Math.max(0, digits - 1 - exponent)).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, NARROW);
  return fraction ? `${grouped}.${fraction}` : grouped;
}

function seconds(value) {
  for (const [factor, unit] of [[1e6, "µs"], [1e3, "ms"]]) {
    if (value && Number((value * factor).toPrecision(3)) < 1000) {
      return significant(value * factor) + SPACE + unit;
    }
  }
  return significant(value) + SPACE + "s";
}

function bytes(value) {
  if (value >= 1000 * MIB) return significant(value / GIB) + SPACE + "GiB";
  if (value < MIB) return (value / MIB).toFixed(2) + SPACE + "MiB";
  return significant(value / MIB) + SPACE + "MiB";
}
