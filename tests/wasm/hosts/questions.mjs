// Answers questions with the package, whatever the runtime. The answers are compared with the core's.

/** What a call answers, or its problems. */
function attempt(call) {
  try {
    return call();
  } catch (error) {
    return { code: error.code, problems: error.problems };
  }
}

const said = (placement) =>
  placement.region === null
    ? `!${placement.error.code}`
    : `${placement.region} ${placement.preferred} ${placement.slot} ${placement.reason}`;

function byTable(api, { table, tenants }) {
  // Every other table as JSON, and the answers one by one and together.
  const router = new api.Router(table.epoch % 2 === 0 ? table : JSON.stringify(table));
  const together = router.routeMany(tenants).map(said);
  return tenants.map((tenant, index) => {
    let one;
    try {
      one = said(router.route(tenant));
    } catch (error) {
      one = `!${error.code}`;
    }
    // Of what is kept, too.
    const again = one[0] === "!" ? one : said(router.route(tenant));
    if (one !== together[index] || one !== again) return `${one}, ${together[index]} and ${again}`;
    if (one[0] !== "!" && router.preferredRegion(tenant) !== one.split(" ")[1]) return `${one}, not preferred`;
    return `${one} ${router.cohort(tenant)}`;
  });
}

const byVariables = (api, { env, tenant, current }) => ({
  active: attempt(() => api.activeRegions(env)),
  preferred: attempt(() => api.preferredRegion(env, tenant)),
  next: attempt(() => api.nextFailover(env, current)),
  report: api.validateRegionConfig(env),
});

const byBadTable = (api, { bad }) => attempt(() => new api.Router(bad).epoch);

/** The answers, in the order of the questions. */
export function answers(api, questions) {
  return questions.map((question) => {
    if (question.tenants) return byTable(api, question);
    if (question.env) return byVariables(api, question);
    return byBadTable(api, question);
  });
}
