// What the package exports, whatever loaded the module.

export {
  activeRegions,
  HalcyonError,
  nextFailover,
  preferredRegion,
  Router,
  validateRegionConfig,
} from "./edge.js";
export { explain, json, Journal, simulate, verify } from "./page.js";
