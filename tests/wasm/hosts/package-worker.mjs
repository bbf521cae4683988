// workerd: questions are posted, answers come back.
import * as api from "@halcyon/edge";
import { answers } from "./questions.mjs";

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("ready");
    return Response.json(answers(api, await request.json()));
  },
};
