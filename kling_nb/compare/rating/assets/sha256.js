// SHA-256, and JSON in the one form that is hashed: what a browser has for it is not there on every page.

const ROUNDS = (() => {
  const primes = [];
  for (let number = 2; primes.length < 64; number += 1) if (primes.every((prime) => number % prime)) primes.push(number);
  const bits = (root) => Math.floor((root % 1) * 2 ** 32) >>> 0;
  return { constants: primes.map((prime) => bits(Math.cbrt(prime))), start: primes.slice(0, 8).map((prime) => bits(Math.sqrt(prime))) };
})();

function sha256(text) {
  const bytes = new TextEncoder().encode(text);
  const length = Math.ceil((bytes.length + 9) / 64) * 64;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(length - 4, (bytes.length * 8) >>> 0);
  const state = Uint32Array.from(ROUNDS.start);
  for (let block = 0; block < length; block += 64) digest(state, view, block);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

function digest(state, view, block) {
  const turn = (word, count) => (word >>> count) | (word << (32 - count));
  const words = new Uint32Array(64);
  for (let i = 0; i < 64; i += 1) {
    if (i < 16) words[i] = view.getUint32(block + 4 * i);
    else {
      const [x, y] = [words[i - 15], words[i - 2]];
      words[i] = words[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + words[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS.constants[i] + words[i]) | 0;
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
  }
  [a, b, c, d, e, f, g, h].forEach((word, place) => { state[place] += word; });
}

// Keys sorted, no spaces; the same bytes as Python's json.dumps(…, sort_keys=True, separators=(",", ":"),
// ensure_ascii=False) for objects of texts, whole numbers and null.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
