import assert from "node:assert/strict";
import test from "node:test";

import { parse } from "../src/duration.js";

test("durations are read as seconds", () => {
  assert.equal(parse("45s"), 45);
  assert.equal(parse("1h 30m"), 5400);
  assert.throws(() => parse("soon"), RangeError);
});
