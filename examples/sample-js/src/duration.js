const SECONDS = { h: 3600, m: 60, s: 1 };

/** Returns the seconds of a duration such as "1h 30m" or "45s"; throws a RangeError for anything else. */
export function parse(text) {
  const parts = text.trim().split(/\s+/);
  let seconds = 0;
  for (const part of parts) {
    const match = /^(\d+)([hms])$/.exec(part);
    if (!match) {
      throw new RangeError(`not a duration: ${JSON.stringify(text)}`);
    }
    seconds += Number(match[1]) * SECONDS[match[2]];
  }
  return seconds;
}
