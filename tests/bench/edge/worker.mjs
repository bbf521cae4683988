// The same in workerd, whose clock stands while it works: whoever asks measures.
import * as api from "@halcyon/edge";
import { ids, works } from "./work.mjs";

const all = works(api);
const list = ids(1_000 * 16);
const thousands = Array.from({ length: 16 }, (_, n) => list.slice(n * 1_000, (n + 1) * 1_000));

export default {
  fetch(request) {
    const [name, times] = new URL(request.url).pathname.slice(1).split("/");
    let length = 0;
    for (let time = 0; time < Number(times); time++) for (const thousand of thousands) length += all[name]?.(thousand) ?? 0;
    return new Response(String(length));
  },
};
