// The avoided work: gets one layer of two compared passes, and steps through its operations by itself.

export default (component) => mount(component, avoidedWork);

const [NEW, EQUAL, DIFFERENT, MASKED] = [0, 1, 2, 3];
const STATES = ["new", "equal", "different", "masked"];
const SAID = { new: "new: the step before had no such cell", masked: "masked: a later token" };

function avoidedWork(root) {
  const $ = (selector) => root.querySelector(selector);
  const [textLine, opRail, thenRail, finding, area, story, tip, live] =
    [".text", ".ops", ".then", ".finding", ".scene", ".story", ".tip", ".live"].map($);
  let scene = null;
  let tensors = {}; // op key -> [{now, was, state, rows, cols, scale}] by head
  let arrays = {};
  let grids = new Map(); // built once each
  let at = 1;
  let head = 0;
  let allHeads = false;
  let wanted = 0; // the layer asked for last: its data may still be on their way
  let send = null;
  let reading = null;
  let reporting = null;
  let ahead = null;
  let addressing = null;

  const opCount = () => scene.ops.length;
  const lastStep = () => opCount() + scene.reductions.length;
  const op = () => scene.ops[at - 1];
  const isMany = (entry) => Boolean(entry.heads) && allHeads && tensors[entry.key].length > 1;
  /** "W_O" with its letter lowered. */
  const named = (name) => {
    const [word, below] = name.split("_");
    return below ? el("span", {}, word, el("sub", {}, below)) : el("span", {}, word);
  };
  const kvHead = () => Math.floor((head * scene.n_kv_heads) / scene.n_heads);
  const headOf = (entry) => (entry.heads === "q" ? head : entry.heads === "kv" ? kvHead() : 0);
  const label = (row) => scene.labels[row];

  // ---- data ----------------------------------------------------------------------------------------

  /** One {rows, cols, now, was, state} per head. */
  function unpack({ now, was, state }) {
    const [heads, rows, cols] = now.shape;
    const [oldRows, oldCols] = was ? was.shape.slice(1) : [rows - 1, cols];
    const [values, old] = [decode(now).data, was && decode(was).data];
    const found = bytesOf(state.b64);
    const scale = fullShade(values.filter(Number.isFinite));
    return Array.from({ length: heads }, (_, h) => {
      const part = (array, size) => array.subarray(h * size, (h + 1) * size);
      const [mine, before, states] = [part(values, rows * cols), old && part(old, oldRows * oldCols), part(found, rows * cols)];
      return {
        rows, cols, scale,
        row: (r) => mine.subarray(r * cols, (r + 1) * cols),
        state: (r, c) => states[r * cols + c],
        states,
        // Where nothing else was sent, the step before had the very same bits.
        was: (r, c) => (before ? before[r * oldCols + c] : mine[r * cols + c]),
      };
    });
  }

  const visible = (row) => {
    const end = row.indexOf(-Infinity);
    return end < 0 ? row : row.subarray(0, end);
  };

  /** What the arithmetic of a cell asks for, by name. */
  function get(name, row) {
    if (["wq", "wk", "wv"].includes(name)) {
      const h = name === "wq" ? head : kvHead();
      const size = scene.head_dim;
      return { rows: size, row: (i) => arrays[name].row(h * size + i) };
    }
    if (name === "wo" || name === "w_down") return arrays[name];
    if (["attn_norm", "ffn_norm_weight", "final_norm"].includes(name)) return arrays[name].data;
    if (name === "final") return arrays.final.data;
    if (name === "concat") return Float32Array.from(tensors.z.flatMap((part) => [...part.row(row)]));
    if (!tensors[name]) return arrays[name].row(row); // cos, sin, gate, up
    const values = tensors[name][headOf(scene.ops.find((entry) => entry.key === name))].row(row);
    if (name === "weights") return values.subarray(0, visible(tensors.scores[head].row(row)).length);
    return name === "scores" ? visible(values) : values;
  }

  function describe(cell, col) {
    const entry = op();
    const line = cell.closest("[role=row]");
    if (!line || !entry) return null;
    const row = Number(line.dataset.row);
    const part = tensors[entry.key][headOf(entry)];
    const column = col ?? [...cell.parentElement.children].indexOf(cell);
    const value = part.row(row)[column];
    const state = part.state(row, column);
    const square = entry.key === "scores" || entry.key === "weights";
    const own = entry.key === "readout" ? scene.t : row;
    const digits = entry.key === "weights" ? 4 : 3;
    const title = square
      ? `${entry.key === "scores" ? "score" : "weight"} of “${label(column)}”, token ${column}, asked by “${label(row)}”, token ${row}`
      : `${entry.label.replace("_", "")} of “${label(own)}”, token ${own}, entry ${column}`;
    if (state === MASKED) return { title, value: num(value, 0), lines: [SAID.masked] };
    const recipe = {
      ...scene.arithmetic[entry.key],
      eps: scene.norm_eps,
      text: scene.layer ? `handed on by layer ${scene.layer - 1}` : `entry ${column} of the token's embedding`,
    };
    // A score's own row is the query's; the shared recipes call it the position, and the key's index the row.
    const place = square ? { row: column, col: column, position: row } : { row, col: column, position: row };
    const lines = arithmetic({ recipe, get, ...place });
    const was = part.was(row, column);
    const both = (places) => `in the step before ${num(was, places)}, now ${num(value, places)}`;
    lines.push({
      [NEW]: SAID.new,
      [EQUAL]: `blue: ${both(6)}, difference ${tiny(Math.abs(value - was))}`,
      [DIFFERENT]: `not blue: ${both(digits)}`,
    }[state]);
    return { title, value: num(value, digits), lines };
  }

  // ---- one operation as a grid ---------------------------------------------------------------------

  function rowName(row, every) {
    const shown = row === scene.t || (row % every === 0 && scene.t - row >= every / 2);
    const changed = row === scene.changed ? "changed" : null;
    return el("div.name", { role: "rowheader", "aria-label": `token ${row}, ${label(row)}` },
      el("span.token", { title: label(row), "data-changed": changed, hidden: !shown }, label(row)),
      el("small", { hidden: !shown }, String(row)));
  }

  /** Runs of cells with the same state: [[state, start, end], …]. */
  function runs(part, row) {
    const found = [];
    for (let col = 0; col < part.cols; col++) {
      const state = part.state(row, col);
      if (found.at(-1)?.[0] === state) found.at(-1)[2] = col + 1;
      else found.push([state, col, col + 1]);
    }
    return found;
  }

  function colour(box, part, row) {
    const strip = box.firstElementChild;
    if (!strip.classList.contains("strip")) {
      [...box.children].forEach((cell, col) => {
        const state = STATES[part.state(row, col)];
        cell.classList.add(state);
      });
      return;
    }
    const spans = runs(part, row);
    const percent = (col) => `${((100 * col) / part.cols).toFixed(3)}%`;
    if (spans.length === 1) strip.classList.add(STATES[spans[0][0]]);
    else {
      const size = (state) => spans.reduce((sum, [of, start, end]) => sum + (of === state ? end - start : 0), 0);
      strip.classList.add(STATES[[NEW, EQUAL, DIFFERENT].reduce((best, state) => (size(state) > size(best) ? state : best))]);
      strip.style.background = `linear-gradient(90deg, ${spans
        .map(([state, start, end]) => `var(--hue-${STATES[state]}) ${percent(start)} ${percent(end)}`)
        .join(", ")})`;
    }
    for (const [state, start, end] of spans) {
      if (state !== MASKED) continue;
      strip.append(el("i.veil", { style: `left:${percent(start)};width:${percent(end - start)}` }));
    }
  }

  function buildGrid(entry) {
    const part = tensors[entry.key][headOf(entry)];
    const square = entry.key === "scores" || entry.key === "weights";
    const grid = el("div.grid", {
      role: "grid",
      "aria-label": `${entry.title}: ${part.rows} rows of ${part.cols} cells; arrow keys read them`,
    });
    const { every, row: height } = layout(entry);
    for (let i = 0; i < part.rows; i++) {
      const row = entry.key === "readout" ? scene.t : i;
      const box = cellRow(entry.key);
      // Rows too low for numbers are strips however few their cells: a thousand boxes take long to draw.
      if (height < 13) box.append(el("div.strip", { role: "gridcell", tabindex: "-1" }, el("canvas")));
      fillCells(box, part.row(i), part.scale, `${entry.label} of ${label(row)}`);
      colour(box, part, i);
      const line = el("div.line", { role: "row", "data-row": i }, rowName(row, every), box);
      if (row === scene.t) line.classList.add("last");
      grid.append(line);
    }
    readable(grid, tip, live, describe);
    tabStop(grid);
    return el("div", {}, square ? keyNumbers(part.cols) : null, grid, entry.key === "readout" ? logits() : null);
  }

  /** Above scores and weights: which token's key a column is. */
  function keyNumbers(count) {
    const numbers = Array.from({ length: count }, (_, i) => el("small", {}, count > 40 && i % 8 ? "" : String(i)));
    return el("div.line.top", { "aria-hidden": "true" }, el("div.name"), el("div.cells", { style: `--cols:${count}` }, ...numbers));
  }

  function logits() {
    const rows = scene.readout.top.map(([token, logit, p], i) =>
      el("tr", {}, el("th", { scope: "row" }, i ? token : el("b", {}, token)), el("td", {}, num(logit, 2)), el("td", {}, num(p, 3)),
        el("td.wide-bar", {}, el("i", { style: `width:${100 * p}%` }))));
    return el("table.logits", {}, el("caption.sr", {}, "The five likeliest next tokens"),
      el("thead", {}, el("tr", {}, ...["next token", "logit", "probability", ""].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...rows));
  }

  // ---- many cells as one picture -------------------------------------------------------------------

  let hues = [];
  function readHues() {
    const pen = el("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const styles = getComputedStyle(root);
    hues = ["--orange", "--blue", "--changed", "--muted"].map((name) => {
      pen.fillStyle = styles.getPropertyValue(name).trim();
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    });
  }

  /** The heads' cells side by side, a pixel each; `keep(state)` says how much of a cell's colour is left. */
  function paint(parts, keep) {
    const { rows, cols } = parts[0];
    const calmly = Boolean(keep); // a small picture says where, not how large
    const gap = parts.length > 1 ? Math.max(1, Math.round(cols / 16)) : 0;
    const canvas = el("canvas", { width: parts.length * (cols + gap) - gap, height: rows, "aria-hidden": "true" });
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(canvas.width, rows);
    parts.forEach((part, h) => {
      for (let row = 0; row < rows; row++) {
        for (let col = 0; col < cols; col++) {
          const state = part.state(row, col);
          const value = part.row(row)[col];
          let ink = state === MASKED ? ((row + col) % 2 ? 26 : 6) : calmly ? 42 + 0.45 * shade(value, part.scale) : 12 + 0.85 * shade(value, part.scale);
          ink = (ink / 100) * (keep ? keep(state) : 1);
          const i = 4 * (row * canvas.width + h * (cols + gap) + col);
          for (let k = 0; k < 3; k++) image.data[i + k] = hues[state][k] * ink + paper[k] * (1 - ink);
          image.data[i + 3] = 255;
        }
      }
    });
    pen.putImageData(image, 0, 0);
    return canvas;
  }

  const counts = (parts) => {
    const found = [0, 0, 0, 0];
    for (const part of parts) for (const state of part.states) found[state]++;
    return found;
  };

  function buildHeads(entry) {
    const parts = tensors[entry.key];
    const box = el("div.heads", { role: "group", "aria-label": `${entry.title}: all heads` });
    box.style.setProperty("--across", parts.length > 4 ? 4 : parts.length);
    parts.forEach((part, h) => {
      const [fresh, blue] = counts([part]);
      const name = entry.heads === "kv" && scene.n_kv_heads < scene.n_heads ? `KV head ${h}` : `head ${h}`;
      const button = el("button", { type: "button", "aria-label": `${name}: ${blue} blue, ${fresh} new; show it large` }, el("span", {}, name), paint([part]));
      button.onclick = () => {
        allHeads = false;
        pickHead(entry.heads === "kv" ? Math.floor((h * scene.n_heads) / scene.n_kv_heads) : h);
      };
      box.append(button);
    });
    return box;
  }

  // ---- the layer as a map, for the reductions ------------------------------------------------------

  const KEEPS = {
    again: () => () => 1,
    all: () => () => 1,
    read: (key) => (state) => (state === NEW || scene.read.includes(key) ? 1 : 0.2),
    kv: (key) => (state) => (state === NEW || key === "k" || key === "v" ? 1 : 0),
  };
  const MAP_WORDS = {
    again: () => "computed again",
    all: () => "stored",
    read: (key) => (scene.read.includes(key) ? "read" : "not read"),
    kv: (key) => (key === "k" || key === "v" ? "stored" : "never stored"),
  };

  function layerMap(mode) {
    const box = el("div.map", { "data-mode": mode, role: "group", "aria-label": `The layer's operations, earlier rows: ${mode}` });
    for (const entry of scene.ops) {
      if (entry.key === "readout") continue;
      const word = MAP_WORDS[mode](entry.key);
      const figure = el("figure", { "data-key": entry.key, "data-kept": String(["computed again", "stored", "read"].includes(word)) },
        el("figcaption", {}, el("b", {}, named(entry.label)), el("small", {}, word)),
        el("div.picture", {}, paint(tensors[entry.key], KEEPS[mode](entry.key))));
      figure.style.setProperty("--old", scene.t / (scene.t + 1));
      box.append(figure);
    }
    return box;
  }

  const whole = (x) => x.toLocaleString("en");

  function sideBySide() {
    const most = { multiplications: Math.max(...scene.ways.map((way) => way.multiplications)), floats: Math.max(...scene.ways.map((way) => way.floats)) };
    const bar = (kind, share) => el("div.track", {}, el(`i.${kind}`, { style: `width:${Math.max(share * 100, share ? 0.7 : 0)}%` }));
    const modes = { naive: "again", stored: "all", cached: "kv" };
    return el("div.ways", {}, ...scene.ways.map((way) =>
      el("section", { "data-way": way.key },
        el("h3", {}, way.title),
        layerMap(modes[way.key]),
        el("p", {}, "computes ", el("b", {}, whole(way.multiplications)), " multiplications"),
        bar("need", way.multiplications / most.multiplications),
        el("p", {}, "keeps ", el("b", {}, whole(way.floats)), ` floats, ${whole(way.bytes)} bytes`),
        bar("kept", way.floats / most.floats),
        el("p.result", { "data-holds": String(way.holds) }, way.holds && way.same ? "✓ " : "✗ ", "next token ", el("b", {}, `“${way.token}”`), ` ${num(way.probability, 3)}`),
        el("p.quiet", {}, way.key === "naive" ? "the pass that the others are held against" : `logits: largest difference ${tiny(way.difference)}`))));
  }

  // ---- one state of the page -----------------------------------------------------------------------

  function showArea() {
    tip.hidden = true;
    const head = at > opCount() ? el("div.head.flush", {}, el("b", {}, `Layer ${scene.layer}, all heads`), layerSelect()) : gridHead(op());
    fit();
    area.replaceChildren(head, picture(at), legend());
    clearTimeout(ahead);
    ahead = setTimeout(buildAhead, 30);
  }

  /** Build what the next steps draw, one by one and the nearest first, while nothing else is asked for. */
  function buildAhead() {
    const missing = Array.from({ length: lastStep() }, (_, i) => i + 1)
      .filter((step) => !grids.has(pictureId(step)))
      .sort((a, b) => Math.abs(a - at - 0.4) - Math.abs(b - at - 0.4));
    if (!missing.length) return;
    picture(missing[0]);
    ahead = setTimeout(buildAhead, 15);
  }

  const modeOf = (step) => ["again", "all", "read", "kv", "ways"][step - opCount() - 1];
  function pictureId(step) {
    const entry = scene.ops[step - 1];
    return !entry ? modeOf(step) : isMany(entry) ? `${entry.key} all` : `${entry.key} ${headOf(entry)}`;
  }

  /** What a step draws, built once. */
  function picture(step) {
    const [entry, mode, id] = [scene.ops[step - 1], modeOf(step), pictureId(step)];
    if (!grids.has(id)) {
      grids.set(id, mode === "ways" ? sideBySide() : mode ? layerMap(mode) : isMany(entry) ? buildHeads(entry) : buildGrid(entry));
    }
    return grids.get(id);
  }

  function layerSelect() {
    const select = el("select", { "aria-label": "Layer" }, ...Array.from({ length: scene.n_layers }, (_, i) => el("option", { value: i }, String(i))));
    select.value = scene.layer;
    select.onchange = () => ask(Number(select.value));
    return el("label", {}, "layer ", select);
  }

  function gridHead(entry) {
    const many = isMany(entry);
    const part = tensors[entry.key][headOf(entry)];
    const controls = [layerSelect()];
    if (entry.heads) {
      const select = el("select", { "aria-label": "Head" }, ...Array.from({ length: scene.n_heads }, (_, i) => el("option", { value: i }, String(i))));
      select.value = head;
      select.onchange = () => pickHead(Number(select.value));
      const toggle = el("button.toggle", { type: "button", "aria-pressed": String(many), disabled: tensors[entry.key].length < 2 }, many ? "one head large" : "all heads");
      toggle.onclick = () => {
        allHeads = !allHeads;
        show();
        $(".toggle")?.focus();
      };
      controls.push(el("label", { hidden: many }, "head ", select), toggle);
      if (entry.heads === "kv" && scene.n_kv_heads < scene.n_heads) controls.push(el("small", {}, many ? `${scene.n_kv_heads} KV heads serve ${scene.n_heads} heads` : `reads KV head ${kvHead()}`));
    }
    const size = many ? `${tensors[entry.key].length} × ${part.rows} × ${part.cols}` : `${part.rows} × ${part.cols}`;
    return el(many ? "div.head.flush" : "div.head", {}, el("b", {}, named(entry.label)), el("span.size", {}, size), ...controls);
  }

  function legend() {
    const key = (state, words) => el("span", {}, el(`i.key.${state}`), words);
    const items = [key("equal", at > opCount() ? "was there in the step before" : "as in the step before"), key("new", "new row")];
    if (scene.found.equal < scene.found.compared) items.push(key("different", "came out differently"));
    if (scene.causal) items.push(key("masked", "masked"));
    if (at > opCount() + 3) items.push(key("empty", "not stored"));
    return el("p.legend", {}, ...items);
  }

  function showStory() {
    const reduction = scene.reductions[at - opCount() - 1];
    const words = reduction ?? op();
    const over = reduction ? `Reductions, ${at - opCount()} of ${scene.reductions.length}` : `Operation ${at} of ${opCount()}`;
    const parts = [
      el("p.over", {}, over, el("span.quiet", {}, reduction ? "" : ` · layer ${scene.layer}`)),
      el("h2", {}, words.title),
    ];
    if (!reduction) {
      const math = el("div.formula");
      math.innerHTML = words.formulas.join(" "); // our own MathML: it holds numbers, never a token
      parts.push(math, el("p.focus", {}, words.focus), el("p.why", {}, words.why), tally());
    } else {
      parts.push(el("p.focus", {}, words.focus), el("p.why", {}, words.why));
      if (words.verdict) parts.push(el("p.verdict", { "data-holds": String(!words.verdict.startsWith("✗")) }, words.verdict));
      const way = scene.ways[{ 1: 0, 2: 1, 4: 2 }[at - opCount()]];
      if (way) parts.push(meters(way));
    }
    story.replaceChildren(...parts);
    live.textContent = `${over}: ${words.title}. ${words.focus}`;
  }

  function meters(way) {
    const naive = scene.ways[0];
    const most = scene.ways[1].floats;
    const line = (kind, share) => el("div.track", {}, el(`i.${kind}`, { style: `width:${100 * share}%` }));
    return el("div.meter", {},
      el("p", {}, "computed ", el("b", {}, whole(way.multiplications)), " multiplications"), line("need", way.multiplications / naive.multiplications),
      el("p", {}, "kept ", el("b", {}, whole(way.floats)), ` floats, ${whole(way.bytes)} bytes`), line("kept", way.floats / most));
  }

  /** What is drawn right now, counted from the masks that drew it. */
  function tally() {
    const entry = op();
    const many = isMany(entry);
    const found = counts(many ? tensors[entry.key] : [tensors[entry.key][headOf(entry)]]);
    const names = { equal: "as before", new: "new", different: "different", masked: "masked" };
    const shown = Object.keys(names).filter((name) => name !== "different" || found[DIFFERENT] || scene.found.equal < scene.found.compared);
    return el("dl.tally", { "aria-label": "Cells in this grid" }, ...shown.map((name) =>
      el("div", {}, el("dt", {}, el(`i.key.${name}`), names[name]), el("dd", { "data-count": name }, whole(found[STATES.indexOf(name)])))));
  }

  function showFinding() {
    const { text, largest: most, where, holds, tolerance } = scene.found;
    finding.classList.toggle("broken", !holds);
    const rest = most === 0 ? "Not one bit differs." : null;
    const jump = most === 0 ? null : el("button.jump", { type: "button" }, `Largest difference ${most < 0.01 ? tiny(most) : num(most, 2)}: ${where}`);
    if (jump) jump.onclick = jumpToLargest;
    finding.replaceChildren(holds ? "✓ " : "✗ ", text, " ", ...(rest ? [rest, " "] : []), ...(jump ? [jump, " "] : []), el("span.quiet", {}, tolerance));
  }

  let jumping = false;
  function jumpToLargest() {
    const { layer, op: key, row, col } = scene.found;
    const step = scene.ops.findIndex((entry) => entry.key === key);
    const h = scene.ops[step].heads === "kv" ? Math.floor((scene.found.head * scene.n_heads) / scene.n_kv_heads) : scene.found.head;
    if (scene.ops[step].heads) head = h;
    allHeads = false;
    at = step + 1;
    if (layer !== scene.layer) {
      jumping = true;
      return ask(layer);
    }
    show();
    const line = area.querySelector(`[role=row][data-row="${row}"]`);
    const cells = [...line.querySelectorAll("[role=gridcell]")];
    const cell = cells.length > 1 ? cells[col] : cells[0];
    if (cell.values) cell.cursor = col;
    cell.focus({ focusVisible: true });
    const box = cell.getBoundingClientRect();
    const clientX = cell.values ? box.left + ((col + 0.5) / cell.values.length) * box.width : box.left + box.width / 2;
    cell.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY: box.top + box.height / 2 }));
  }

  function showRail() {
    root.querySelectorAll(".stage").forEach((button) => {
      if (Number(button.dataset.step) === at) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    $(".back").disabled = at === 1;
    $(".next-step").disabled = at === lastStep();
  }

  function showText() {
    const first = Math.max(1, scene.t - 28);
    const parts = scene.texts.slice(first).map((text, i) => {
      const word = text.replaceAll("\n", " ");
      const kind = first + i === scene.t ? "fresh" : first + i === scene.changed ? "changed" : null;
      return kind ? el(`b.${kind}-word`, {}, word) : word;
    });
    textLine.replaceChildren(el("span.so-far", {}, first > 1 ? "… " : null, ...parts), el("span.quiet", {}, ` → ${scene.ways[0].token}`));
  }

  function writeUrl() {
    const url = new URL(location.href);
    url.searchParams.set("op", at);
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  function show() {
    showArea();
    showStory();
    showRail();
    clearTimeout(addressing);
    addressing = setTimeout(writeUrl, 150); // a change of address costs more than the step itself
  }

  // ---- moving --------------------------------------------------------------------------------------

  function go(step) {
    const to = Math.max(1, Math.min(lastStep(), step));
    if (to === at) return;
    at = to;
    show();
  }

  function pickHead(h) {
    head = h;
    show();
    clearTimeout(reporting);
    reporting = setTimeout(() => ask(wanted), 400);
  }

  /** Tell Python what is looked at; another layer's data come back, while a head is here already. */
  function ask(layer) {
    clearTimeout(reporting);
    wanted = layer;
    send("view", { layer, head });
  }

  const next = () => go(at + 1);
  const back = () => go(at - 1);

  function buildRail() {
    const button = (name, step) => {
      const node = el("button.stage", { type: "button", "data-step": step, title: name.title }, named(name.label));
      node.onclick = () => go(step);
      return el("li", {}, node);
    };
    opRail.replaceChildren(el("ol", {}, ...scene.ops.map((entry, i) => button(entry, i + 1))));
    const backButton = el("button.back", { type: "button", "aria-label": "Back", title: "Back (←)" }, "◀");
    const nextButton = el("button.next-step", { type: "button", title: "Next (→)" }, "Next ▸");
    backButton.onclick = back;
    nextButton.onclick = next;
    thenRail.replaceChildren(
      el("span.quiet", {}, "then"),
      el("ol", {}, ...scene.reductions.map((entry, i) => button(entry, scene.ops.length + i + 1))),
      el("div.moves", {}, backButton, nextButton),
    );
  }

  const dropKeys = stepKeys(root, next, back);

  // ---- size ----------------------------------------------------------------------------------------

  // The window is measured when it changes: asking the page for sizes in the middle of a step lays it out twice.
  let room = { width: 0, height: 0, root: 0 };
  function measure() {
    const scrolled = document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0;
    root.classList.toggle("wide", root.clientWidth >= 860);
    root.classList.toggle("phone", root.clientWidth < 600);
    const top = area.getBoundingClientRect().top + scrolled;
    room = { width: area.clientWidth, height: innerHeight - top - 84, root: root.clientWidth };
  }

  /** Sizes that make a whole grid fit the window: of a row, a matrix, and how many rows get their name. */
  function layout(entry) {
    const { cols } = tensors[entry.key][0];
    const phone = room.root < 600;
    const name = phone ? 58 : 84;
    const width = Math.min(room.width - name - 12, cols > WIDEST_IN_CELLS ? 1080 : 44 * cols);
    const each = Math.max(phone ? 300 : 260, room.height) / (scene.t + 1);
    const row = Math.max(3.6, Math.min(27, scene.t > 24 ? each - 0.5 : Math.floor(each) - 2));
    return { name, row, matrix: width, cell: width / cols, every: Math.max(1, Math.ceil(15 / (row + 0.5))) };
  }

  function fit() {
    if (!op()) return;
    const { name, row, matrix, cell } = layout(op());
    root.classList.toggle("heat", cell < 21.5 || row < 15);
    root.classList.toggle("dense", row < 13);
    for (const [key, value] of Object.entries({ name, row, matrix })) root.style.setProperty(`--${key}`, `${value}px`);
    root.style.setProperty("--cell-font", `${Math.min(12, cell * 0.4, row * 0.56).toFixed(1)}px`);
  }

  const observer = new ResizeObserver(() => {
    if (!scene || Math.abs(root.clientWidth - room.root) < 2) return;
    measure();
    grids.clear(); // which rows carry their name depends on their height
    showArea();
  });
  observer.observe(root);

  // ---- Python's side -------------------------------------------------------------------------------

  function update(data, component) {
    send = component.setStateValue;
    const themeChanged = readTheme(root);
    if (themeChanged || !hues.length) {
      readHues();
      grids.clear();
    }
    if (data === scene) return themeChanged ? show() : undefined;
    const before = scene;
    scene = data;
    if (before?.id === data.id) {
      if (themeChanged) show();
      return;
    }
    if (!before) at = Math.min(data.at, data.ops.length + data.reductions.length);
    // A head picked while data were on their way stays; one that Python has changed, from an address, is taken.
    if (!before || (before.head !== data.head && !jumping)) head = data.head;
    wanted = data.layer;
    tensors = Object.fromEntries(Object.entries(data.tensors).map(([key, tensor]) => [key, unpack(tensor)]));
    tensors.readout = unpack(data.readout);
    arrays = Object.fromEntries(Object.entries(data.arrays).map(([name, array]) => [name, decode(array)]));
    grids = new Map();
    if (!before) buildRail();
    head = Math.min(head, data.n_heads - 1);
    showText();
    showFinding();
    measure();
    show();
    if (jumping) {
      jumping = false;
      jumpToLargest();
    }
  }

  return {
    update,
    destroy() {
      clearTimeout(reporting);
      clearTimeout(ahead);
      clearTimeout(addressing);
      observer.disconnect();
      dropKeys();
    },
  };
}
