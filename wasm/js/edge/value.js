// A value as bytes, for the module: src/value.rs has the format.

export const encoder = new TextEncoder();

// as far as the module reads

const DEEPEST = 127;
const NO_VALUE = 255;

/** The bytes of a value that JSON can have; members without a value are left out, as JSON does. */
export function encode(value) {
  let bytes = new Uint8Array(1024);
  let length = 0;
  let deep = false;

  const room = (count) => {
    if (length + count > bytes.length) {
      const longer = new Uint8Array(2 * (length + count));
      longer.set(bytes);
      bytes = longer;
    }
  };
  const tag = (kind) => {
    room(1);
    bytes[length++] = kind;
  };
  const count = (number) => {
    room(4);
    for (let shift = 0; shift < 32; shift += 8) bytes[length++] = number >>> shift;
  };
  const write = (string) => {
    room(4 + 3 * string.length);
    const { written } = encoder.encodeInto(string, bytes.subarray(length + 4));
    count(written);
    length += written;
  };
  const add = (value, depth) => {
    // a circle has no end, and two of them have more ways than can be gone: nothing goes on from here
    deep ||= depth > DEEPEST;
    if (deep) return;
    if (typeof value === "string") {
      tag(4);
      write(value);
    } else if (typeof value === "number") {
      tag(3);
      write(digits(value));
    } else if (typeof value === "boolean") {
      tag(value ? 2 : 1);
    } else if (Array.isArray(value)) {
      tag(5);
      count(value.length);
      for (const item of value) add(item, depth + 1);
    } else if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      tag(6);
      count(members.length);
      for (const [name, member] of members) {
        write(name);
        add(member, depth + 1);
      }
    } else {
      tag(0);
    }
  };
  add(value, 0);
  // the module says what is wrong
  return deep ? Uint8Array.of(NO_VALUE) : bytes.subarray(0, length);
}

// A number without an exponent, as the core shows it.
function digits(number) {
  const [, sign, first, others = "", power] = /^(-?)(\d)(?:\.(\d+))?e(.+)$/.exec(number) ?? [];
  if (power === undefined) return String(number);
  return sign + (power > 0 ? (first + others).padEnd(+power + 1, "0") : `0.${"0".repeat(-power - 1)}${first}${others}`);
}
