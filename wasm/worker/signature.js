// Who a table is from: Ed25519 (RFC 8032) over its bytes, as they are, by WebCrypto.

import { seen } from "./problem.js";

const KEYS_MAX = 16;

// The points of small order (RFC 8032, section 5.1: y in little-endian, without the sign of x): with such a
// key one signature is good for many tables. Two are written with y beyond the field's prime.
const WEAK = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** The public keys of `TABLE_KEYS`; none where anybody's tables are taken. */
export function readKeys(value, problems) {
  if (value === undefined) return [];
  const texts = value.split(",").map((text) => text.replace(/^[ \t]+|[ \t]+$/g, "")).filter((text) => text !== "");
  // Somebody who sets it means that not everybody's tables are good.
  if (texts.length === 0) problems.push("TABLE_KEYS: names no key; allowed: public keys of `halcyon keygen`, comma-separated");
  if (texts.length > KEYS_MAX) problems.push(`TABLE_KEYS: has ${texts.length} keys; allowed: at most ${KEYS_MAX}`);
  const keys = texts.map((text) => [text, strong(bytes(text, 32))]);
  for (const [text, key] of keys) {
    if (key !== null) continue;
    problems.push(`TABLE_KEYS: ${seen(text)} is no public key; allowed: 44 characters of base64, as \`halcyon keygen\` prints them`);
  }
  return keys.map(([, key]) => key);
}

/** Throws where the signature of `table` is none of the keys'. Without keys every table is good. */
export async function verify(keys, table, signature) {
  if (keys.length === 0) return;
  if (signature === null) throw new Error("it is not signed; allowed: a signature of one of TABLE_KEYS");
  const raw = bytes(signature, 64);
  if (raw === null) throw new Error(`its signature ${seen(signature)} is none; allowed: 88 characters of base64`);
  for (const key of keys) {
    // Each time anew: what one request of a Worker awaits is not there for another.
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    if (await crypto.subtle.verify("Ed25519", imported, raw, table)) return;
  }
  throw new Error("its signature is not one of TABLE_KEYS over these bytes");
}

/** The key, if one signature cannot be good for many tables with it. */
function strong(key) {
  const y = key?.map((byte, place) => (place === 31 ? byte & 0x7f : byte)) ?? [];
  const hex = Array.from(y, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return WEAK.includes(hex) ? null : key;
}

/** So many bytes in base64; null where the text is none. */
function bytes(text, length) {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length !== 4 * Math.ceil(length / 3)) return null;
  try {
    const decoded = Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));
    return decoded.length === length ? decoded : null;
  } catch {
    return null;
  }
}
