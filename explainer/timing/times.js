// Times as a reader would say them, and what a chart makes of many.

export const sum = (values) => values.reduce((total, x) => total + x, 0);

/** A clock: 0.073 s, 12.34 s. */
export const seconds = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(3)} s` : `${(ms / 1000).toFixed(2)} s`);

export const perToken = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;

/** The median of each value and its four neighbours on either side. */
export function smooth(values) {
  return Array.from(values, (_, i) => {
    const near = Array.from(values.slice(Math.max(0, i - 4), i + 5)).sort((a, b) => a - b);
    return near[near.length >> 1];
  });
}

/** 1, 2 or 5 times a power of ten, the smallest that is at least x. */
export function nice(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * [1, 2, 5, 10].find((m) => m * power >= x * 0.999);
}

/** Heights of two names at the ends of their lines, moved apart where they are nearer than `least`. */
export function apart(heights, least) {
  const [a, b] = heights;
  const overlap = least - Math.abs(a - b);
  if (overlap <= 0) return [a, b];
  return a >= b ? [a + overlap / 2, b - overlap / 2] : [a - overlap / 2, b + overlap / 2];
}
