// The cache as a volume on a canvas: tokens to the right, layers up, KV heads into the depth.

import { el } from "../web/dom.js";

const LABELS = 62; // px for the tokens' names below
const TOP = 26;
const RIGHT = 26; // room for the knob of the tokens
const LEFT = 58;
const SKEW = 0.62; // of the depth: how far up a step into it goes

/**
 * @typedef {Object} Drawn
 * @property {number} layers
 * @property {number} heads
 * @property {number} tokens slabs that are filled
 * @property {number} room slabs that are allocated
 * @property {number} fresh slabs at the end that the last pass has filled
 * @property {boolean} empty nothing was computed: outlines alone
 * @property {string[]} names of the tokens, as far as they have any
 * @property {(layer: number, head: number, token: number) => number} strength 0 to 1
 * @property {{layers: string, heads: string, tokens: string}} words
 */

/** Where everything lies: sizes in px, from the room and the counts. */
export function geometry({ layers, heads, room }, width, height) {
  const deep = Math.min(width * 0.17, height * 0.3, heads * 16);
  const dx = deep / heads;
  const dy = dx * SKEW;
  const x = LEFT;
  const cell = Math.min(46, (width - LEFT - RIGHT - deep) / room);
  const tall = height - LABELS - TOP - heads * dy;
  const row = Math.min(84, tall / layers);
  const y = TOP + heads * dy + (tall - row * layers) / 2; // top of the front
  return { x, y, cell, row, dx, dy, layers, heads };
}

/** The block under a point, on the front, the top or the end of the filled slabs; null beside them. */
export function blockAt(g, tokens, px, py) {
  const bottom = g.y + g.row * g.layers;
  const end = g.x + g.cell * tokens;
  if (px >= g.x && px < end && py >= g.y && py < bottom) {
    return { token: Math.floor((px - g.x) / g.cell), layer: Math.floor((bottom - py) / g.row), head: 0 };
  }
  if (py < g.y) {
    const depth = (g.y - py) / g.dy;
    const at = px - depth * g.dx;
    if (depth < g.heads && at >= g.x && at < end) {
      return {
        token: Math.floor((at - g.x) / g.cell),
        layer: g.layers - 1,
        head: Math.floor(depth),
      };
    }
  }
  const depth = (px - end) / g.dx;
  if (depth >= 0 && depth < g.heads) {
    const up = bottom - depth * g.dy - py;
    const layer = Math.floor(up / g.row);
    if (layer >= 0 && layer < g.layers) return { token: tokens - 1, layer, head: Math.floor(depth) };
  }
  return null;
}

export function createVolume() {
  const canvas = el("canvas", { tabindex: "0", role: "img" });
  const spot = el("div.spot", { "aria-hidden": "true" });
  const node = el("div.volume", {}, canvas, spot);
  let g = null;

  function quad(c, points) {
    c.beginPath();
    points.forEach(([px, py], i) => (i ? c.lineTo(px, py) : c.moveTo(px, py)));
    c.closePath();
  }

  /** @param {Drawn} drawn */
  function draw(drawn) {
    const width = node.clientWidth;
    const height = node.clientHeight;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(node);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [blue, orange, ink, muted, paper] = ["--blue", "--orange", "--ink", "--muted", "--paper"].map(
      colour,
    );
    g = geometry(drawn, width, height);
    const { x, y, cell, row, dx, dy } = g;
    const { layers, heads, tokens, room, fresh } = drawn;
    const bottom = y + row * layers;
    const gap = cell > 6 ? 0.75 : 0;
    const hue = (token) => (token >= tokens - fresh ? orange : blue);
    c.font = `12px ${style.fontFamily}`;

    const fill = (points, token, layer, head, light) => {
      c.fillStyle = paper;
      quad(c, points);
      c.fill();
      if (drawn.empty) {
        c.globalAlpha = 0.55 * light;
        c.strokeStyle = muted;
        c.stroke();
        c.globalAlpha = 1;
        return;
      }
      c.globalAlpha = (0.35 + 0.65 * drawn.strength(layer, head, token)) * light;
      c.fillStyle = hue(token);
      c.fill();
      c.globalAlpha = 1;
    };
    for (let t = 0; t < tokens; t++) {
      const left = x + t * cell + gap;
      const right = x + (t + 1) * cell - gap;
      for (let l = 0; l < layers; l++) {
        const low = bottom - l * row - gap;
        const high = bottom - (l + 1) * row + gap;
        fill(
          [
            [left, low],
            [right, low],
            [right, high],
            [left, high],
          ],
          t,
          l,
          0,
          1,
        );
      }
      for (let h = 0; h < heads; h++) {
        const near = h + (dy > 4 ? 0.06 : 0);
        const far = h + 1 - (dy > 4 ? 0.06 : 0);
        const at = (side, depth) => [side + depth * dx, y - depth * dy];
        fill([at(left, near), at(right, near), at(right, far), at(left, far)], t, layers - 1, h, 0.8);
      }
    }
    const end = x + tokens * cell;
    for (let l = 0; l < layers; l++) {
      for (let h = 0; h < heads; h++) {
        const low = bottom - l * row - gap;
        const high = bottom - (l + 1) * row + gap;
        const near = h + 0.06;
        const far = h + 0.94;
        const at = (depth, up) => [end + depth * dx, up - depth * dy];
        fill([at(near, low), at(far, low), at(far, high), at(near, high)], tokens - 1, l, h, 0.62);
      }
    }
    if (room > tokens) {
      // Allocated, and empty still.
      const last = x + room * cell;
      c.strokeStyle = muted;
      c.setLineDash([4, 4]);
      const across = heads * dx;
      const up = heads * dy;
      for (const points of [
        [
          [end, bottom],
          [last, bottom],
          [last, y],
          [end, y],
        ],
        [
          [end, y],
          [end + across, y - up],
          [last + across, y - up],
          [last, y],
        ],
        [
          [last, y],
          [last + across, y - up],
          [last + across, bottom - up],
          [last, bottom],
        ],
      ]) {
        quad(c, points);
        c.stroke();
      }
      c.setLineDash([]);
    }
    labels(c, drawn, { ink, muted, bottom });
  }

  function labels(c, drawn, { ink, muted, bottom }) {
    const { x, y, cell, row, dx, dy } = g;
    const { layers, heads, tokens, names, words, fresh } = drawn;
    c.fillStyle = muted;
    c.textAlign = "right";
    c.textBaseline = "middle";
    if (row >= 11) {
      for (let l = 0; l < layers; l++) c.fillText(String(l), x - 6, bottom - (l + 0.5) * row);
    }
    c.save();
    c.translate(x - 30, (y + bottom) / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.fillText(words.layers, 0, 0);
    c.restore();
    c.textAlign = "right";
    c.fillText(words.heads, x + (heads * dx) / 2 - 14, y - (heads * dy) / 2 - 6);
    // Names of the tokens, as many as there is room for.
    const every = Math.ceil(13 / cell);
    c.textAlign = "right";
    for (let t = tokens - 1; t >= 0; t--) {
      const newest = t >= tokens - fresh;
      if (names[t] === undefined || ((tokens - 1 - t) % every && t)) continue;
      c.save();
      c.translate(x + (t + 0.5) * cell, bottom + 7);
      c.rotate(-Math.PI / 4);
      c.fillStyle = newest && fresh === 1 ? ink : muted;
      const name = names[t].length > 9 ? `${names[t].slice(0, 8)}…` : names[t];
      c.fillText(name, 0, 0);
      c.restore();
    }
    if (names[0] === undefined) {
      c.textAlign = "left";
      c.fillStyle = muted;
      c.fillText(`${tokens.toLocaleString("en")} ${words.tokens}`, x, bottom + 14);
    }
  }

  return {
    node,
    canvas,
    spot,
    draw,
    get at() {
      return g;
    },
    /** Mark a block, so that a tip can stand beside it. */
    mark(block, tokens) {
      spot.hidden = !block;
      if (!block || !g) return;
      const { token, layer, head } = block;
      const bottom = g.y + g.row * g.layers;
      const front = head === 0 && layer < g.layers;
      const onEnd = !front && token === tokens - 1;
      const left = front ? g.x + token * g.cell : g.x + (token + (onEnd ? 1 : 0)) * g.cell + head * g.dx;
      const top = front || onEnd ? bottom - (layer + 1) * g.row - head * g.dy : g.y - (head + 1) * g.dy;
      Object.assign(spot.style, {
        left: `${left}px`,
        top: `${top - (onEnd ? g.dy : 0)}px`,
        width: `${Math.max(4, front ? g.cell : onEnd ? g.dx : g.cell + g.dx)}px`,
        height: `${Math.max(4, front ? g.row : onEnd ? g.row + g.dy : g.dy)}px`,
      });
    },
  };
}
