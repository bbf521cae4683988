// SipHash-1-3 in JavaScript as one writes it with care: 64 bits in two halves, no BigInt, no allocation, an
// id written to a buffer character by character. What the package is compared with; held against it in main.mjs.

const encoder = new TextEncoder();
const bytes = new Uint8Array(65_536);
const words = new Uint32Array(bytes.buffer);

/** The region's place for a key of zeros: `h mod count`, for a count of at most 1,024. */
export function place(id, count) {
  let length = 0;
  for (; length < id.length; length++) {
    const code = id.charCodeAt(length);
    if (code > 127) {
      length = encoder.encodeInto(id, bytes).written;
      break;
    }
    bytes[length] = code;
  }
  // The last word: what is left of the id, zeros, and in the top byte its length.
  const whole = length >> 3;
  for (let at = length; at < (whole + 1) << 3; at++) bytes[at] = 0;
  bytes[(whole << 3) + 7] = length;

  let v0l = 0x70736575, v0h = 0x736f6d65, v1l = 0x6e646f6d, v1h = 0x646f7261;
  let v2l = 0x6e657261, v2h = 0x6c796765, v3l = 0x79746573, v3h = 0x74656462;
  const end = (whole + 1) << 1;
  for (let at = 0; at < end + 6; at += 2) {
    let ml = 0, mh = 0;
    if (at < end) {
      ml = words[at];
      mh = words[at + 1];
    } else if (at === end) {
      v2l ^= 0xff;
    }
    v3l ^= ml;
    v3h ^= mh;
    // One round.
    let sum = (v0l >>> 0) + (v1l >>> 0);
    v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
    v0l = sum | 0;
    sum = (v2l >>> 0) + (v3l >>> 0);
    v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
    v2l = sum | 0;
    let high = (v1h << 13) | (v1l >>> 19);
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l;
    v1h = high ^ v0h;
    high = (v3h << 16) | (v3l >>> 16);
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
    v3h = high ^ v2h;
    high = v0h;
    v0h = v0l;
    v0l = high;
    sum = (v2l >>> 0) + (v1l >>> 0);
    v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
    v2l = sum | 0;
    sum = (v0l >>> 0) + (v3l >>> 0);
    v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
    v0l = sum | 0;
    high = (v1h << 17) | (v1l >>> 15);
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l;
    v1h = high ^ v2h;
    high = (v3h << 21) | (v3l >>> 11);
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
    v3h = high ^ v0h;
    high = v2h;
    v2h = v2l;
    v2l = high;

    v0l ^= ml;
    v0h ^= mh;
  }
  const high = (v0h ^ v1h ^ v2h ^ v3h) >>> 0;
  const low = (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
  // Below 2^53: 2^32 mod count times less than count, and another count.
  return ((high % count) * (4_294_967_296 % count) + (low % count)) % count;
}
