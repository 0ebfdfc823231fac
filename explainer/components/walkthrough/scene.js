// The walkthrough: gets a walk's recorded steps once, and steps through their stages by itself.

const SPEEDS = { "0.5×": 5000, "1×": 2500, "2×": 1250 };

export default (component) => mount(component, walkthrough);

function walkthrough(root) {
  const $ = (selector) => root.querySelector(selector);
  const [textLine, rail, grid, story, tip, live] = [".text", ".rail", ".scene", ".story", ".tip", ".live"].map($);
  let scene = null; // what Python sent
  let tensors = null; // its arrays, decoded
  let scales = null;
  let steps = []; // its decode steps in order, the first at position scene.first
  let lines = []; // one per position, plus the slot
  let send = null;
  let at = { position: 0, stage: 1 };
  let waiting = null; // a place asked for that is not recorded yet
  let timer = null;
  let proofOpen = null; // as the learner left it
  let onPage = null; // the step whose numbers stand in the page
  let asking = new URL(location.href).searchParams.has("ask"); // a question before each stage
  const answered = new Set();
  let verdict = null; // of the question just answered

  // ---- what a cell was computed from ---------------------------------------------------------------

  /** The step whose query is on the page: in stage 5 the next token's. */
  const stepAt = (position) => steps[position - scene.first];
  const shownStep = () => stepAt(at.stage === 5 ? at.position + 1 : at.position);
  const label = (position) => scene.labels[position];

  const get = (name, row) => {
    if (["wq", "wk", "wv"].includes(name)) return tensors[name];
    if (["q", "score", "weight", "output"].includes(name)) return shownStep()[name];
    return tensors[name].row(row);
  };

  const NAMES = { q: "query", k: "key", v: "value", score: "score", weight: "weight", output: "output" };

  function describe(cell, col) {
    const line = cell.closest("[role=row]");
    const part = cell.dataset.part ?? cell.parentElement.dataset.part;
    const entry = col ?? [...cell.parentElement.children].indexOf(cell);
    const position = shownStep().position;
    const row = { q: position, output: position }[part] ?? (line.dataset.row === "new" ? position : Number(line.dataset.row));
    const soon = { score: at.stage < 3, weight: at.stage !== 4 }[part]; // hidden until its stage comes
    if (soon || cell.closest(".hollow, .pending")) return null;
    const value = { q: () => shownStep().q[entry], output: () => shownStep().output[entry], score: () => shownStep().score[row], weight: () => shownStep().weight[row] }[part]?.() ?? tensors[part].row(row)[entry];
    const single = part === "score" || part === "weight";
    return {
      title: `${NAMES[part]} of “${label(row)}”, token ${row}${single ? `, asked by “${label(position)}”` : `, entry ${entry}`}`,
      value: num(value, part === "weight" ? 4 : 3),
      lines: arithmetic({ recipe: scene.arithmetic[part], get, row, col: entry, position }),
    };
  }

  const reading = readable(grid, tip, live, describe);

  // ---- building ------------------------------------------------------------------------------------

  function gridLine(name, { k, v, middle }) {
    const score = el("div.score", middle ? { role: "gridcell", tabindex: "-1", "data-part": "score" } : { role: "none" });
    const bar = el("i.bar");
    const weightText = el("span");
    const weight = middle
      ? el("div.weight", { role: "gridcell", tabindex: "-1", "data-part": "weight" }, bar, weightText)
      : el("div.weight", { role: "none" });
    const left = k ? cellRow(k) : el("div.cells", { role: "none" });
    const right = v ? cellRow(v) : el("div.cells", { role: "none" });
    const node = el("div.line", { role: "row" }, el("div.name", { role: "rowheader" }, ...name), left, score, weight, right);
    return { node, left, right, score, weight, bar, weightText };
  }

  const tokenName = (position) => [el("span.token", { title: label(position) }, label(position)), el("small", {}, String(position))];

  /** Make the grid for a new walk. */
  function build() {
    const heads = (n) => Array.from({ length: n }, (_, i) => el("option", { value: i }, String(i)));
    const layerSelect = el("select", { "aria-label": "Layer" }, ...heads(scene.n_layers));
    const headSelect = el("select", { "aria-label": "Head" }, ...heads(scene.n_heads));
    const pick = () => send("view", { layer: Number(layerSelect.value), head: Number(headSelect.value) });
    layerSelect.onchange = pick;
    headSelect.onchange = pick;

    const q = gridLine([], { k: "q" });
    const kv = gridLine([], { k: "k", v: "v" });
    q.node.classList.add("fresh", "query");
    kv.node.classList.add("fresh", "new-kv");
    kv.node.dataset.row = "new";
    kv.weight.append(el("span.v-name"));
    const output = gridLine([], { v: "output" });
    output.node.classList.add("fresh", "output");
    output.weight.append(el("span.v-name"));
    lines = [];
    const newToken = el("div.new-token", { role: "grid", "aria-label": "New token" }, q.node, kv.node);
    const body = el("div.history", { role: "grid", tabindex: "-1" });
    const foot = el(
      "div.foot",
      {},
      el("p.legend", {}, el("span", {}, el("i.key.cached-key"), "read from the cache"), el("span", {}, el("i.key.fresh-key"), "fresh work of this step")),
      el("div", { role: "grid", "aria-label": "Output" }, output.node),
    );
    body.onscroll = countAbove;
    watch(body);
    grid.replaceChildren(
      el("div.head.new-head", {}, el("b.new-title"), el("span.new-note")),
      newToken,
      el(
        "div.head.columns",
        {},
        el("span.name", {}, el("small.above"), "token"),
        el("span.cells", {}, el("b", {}, el("span.long", {}, "Cached keys "), "K"), el("label", {}, "layer ", layerSelect), el("label", {}, "head ", headSelect), el("span.shared")),
        el("span.score", {}, "score"),
        el("span.weight", {}, el("span.long", {}, "weight")),
        el("span.cells", {}, el("b", {}, el("span.long", {}, "Cached values "), "V"), el("span.size")),
      ),
      body,
      foot,
    );
    Object.assign(build, { q, kv, output, body, layerSelect, headSelect });
  }

  /** Forget what the cells hold: the tensors, or the paper below them, have changed. */
  function refill() {
    for (const line of lines) {
      line.filled = false;
      // Seen anew, the observer reports again those that are in sight now.
      inSight.unobserve(line.node);
      inSight.observe(line.node);
    }
    build.layerSelect.value = scene.layer;
    build.headSelect.value = scene.head;
    $(".shared").textContent = scene.n_kv_heads < scene.n_heads ? `reads KV head ${scene.kv_head}` : "";
    build.body.setAttribute("aria-label", `Keys and values of layer ${scene.layer}, head ${scene.head}; arrow keys read the cells`);
  }

  function growTo(count) {
    while (lines.length < count) {
      const position = lines.length;
      const line = gridLine(tokenName(position), { k: "k", v: "v", middle: true });
      line.node.dataset.row = position;
      lines.push(line);
      if (count - position > build.newest) line.node.classList.add("away"); // until it is seen
      build.body.append(line.node);
      inSight.observe(line.node);
    }
  }

  // A long history has more cells than a browser styles in a frame: rows get them when they come into sight.
  let inSight = null;
  function watch(body) {
    inSight?.disconnect();
    const seen = (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) fillLine(Number(target.dataset.row));
        target.classList.toggle("away", !isIntersecting);
      }
    };
    // A margin of two rows, so that the next one is there when an arrow key goes to it.
    inSight = new IntersectionObserver(seen, { root: body, rootMargin: "60px 0px" });
  }

  function fillLine(position) {
    const line = lines[position];
    if (!line || line.filled) return;
    line.filled = true;
    fillCells(line.left, tensors.k.row(position), scales.k, `key of ${label(position)}`);
    fillCells(line.right, tensors.v.row(position), scales.v, `value of ${label(position)}`);
  }

  /** How many older rows have scrolled out of sight. */
  function countAbove() {
    const above = Math.round(build.body.scrollTop / (build.q.node.offsetHeight + 2));
    $(".above").textContent = above ? `↑ ${above}` : "";
  }

  // ---- one state of the page -------------------------------------------------------------------------

  /** Write a row's score and weight. */
  function weigh(line, position) {
    line.score.textContent = num(shownStep().score[position]);
    line.weightText.textContent = num(shownStep().weight[position], 2);
    line.bar.style.setProperty("--w", shownStep().weight[position]);
  }

  /** Everything that stays from stage to stage of one token; what a stage hides of it, the CSS does. */
  function showToken(slot, shown) {
    growTo(slot + 1);
    lines.forEach((line, i) => {
      if (line.node.hidden && i === slot) line.node.classList.remove("away"); // the newest row is in sight
      line.node.hidden = i > slot;
      if (i > slot) return;
      if (!line.node.classList.contains("away")) fillLine(i);
      if (i < slot) {
        hide(line.node, "pending", false);
        line.node.classList.remove("fresh");
      }
      if (i > slot - build.newest) weigh(line, i);
    });
    // Rows out of sight have time until the frame is painted.
    setTimeout(() => onPage === shown && lines.slice(0, Math.max(0, slot - build.newest + 1)).forEach(weigh), 50);
    const token = label(slot);
    const index = () => el("small", {}, String(slot));
    const named = (long, short) => el("span", {}, el("span.long", {}, long), short);
    $(".new-title").textContent = "New token ";
    $(".new-note").replaceChildren(el("b.fresh-word", {}, token), ` at position ${slot}`);
    build.q.node.firstElementChild.replaceChildren(named("query ", "q"), index());
    build.kv.node.firstElementChild.replaceChildren(named("key ", "k"), index());
    build.kv.node.querySelector(".v-name").replaceChildren(named("value ", "v"), index());
    build.output.node.querySelector(".v-name").replaceChildren(el("span", {}, "out", el("span.long", {}, "put")), index());
    fillCells(build.q.left, shown.q, scales.q, `query of ${token}`);
    fillCells(build.kv.left, tensors.k.row(slot), scales.k, `new key of ${token}`);
    fillCells(build.kv.right, tensors.v.row(slot), scales.v, `new value of ${token}`);
    fillCells(build.output.right, shown.output, scales.v, `output of ${token}`);
    build.body.scrollTop = 1e9;
    countAbove();
  }

  /** What is not there yet is an outline, and silent to a screen reader. */
  function hide(line, look, hidden) {
    if (line.classList.contains(look) === hidden) return;
    line.classList.toggle(look, hidden);
    for (const cells of line.querySelectorAll(".cells")) cells.toggleAttribute("inert", hidden);
  }

  function show(animate) {
    const step = stepAt(at.position);
    const shown = shownStep();
    const n = step.position;
    const slot = at.stage === 5 ? n + 1 : n; // the row of the token whose query is shown
    reading.hide();
    root.dataset.stage = at.stage;
    if (shown !== onPage) showToken(slot, shown);
    onPage = shown;
    const stored = at.stage > 1 && at.stage < 5;
    const newest = lines[slot];
    hide(newest.node, "pending", !stored);
    newest.node.classList.toggle("fresh", stored);
    hide(build.kv.node, "hollow", stored);
    hide(build.output.node, "hollow", at.stage !== 4);
    $(".size").textContent = `${stored ? slot + 1 : slot} rows stored`;
    tabStop(grid);

    showText(n);
    showRail();
    showStory(step, n);
    if (animate && !calm()) animateStage(slot, shown);
    writeUrl();
  }

  function showText(n) {
    if (textLine.shown === stepAt(n)) return;
    textLine.shown = stepAt(n);
    const first = Math.max(1, n - (root.classList.contains("phone") ? 16 : 30));
    const parts = first > 1 ? [el("span.quiet", {}, "… ")] : [];
    for (let i = first; i <= n; i++) {
      const text = scene.texts[i].replaceAll("\n", "⏎ ");
      if (i === n) parts.push(el("b.fresh-word", {}, text));
      else if (i >= scene.prompt_length) parts.push(text.match(/^\s*/)[0], el("span.generated", {}, text.trimStart()), chance(i));
      else parts.push(text);
    }
    if (n === 0) parts.push(el("b.fresh-word", {}, "(start)"));
    const guesses = stepAt(n).top.map(([text, p], i) =>
      el(i ? "span.guess" : "span.guess.best", {}, text, el("small", {}, num(p, 2))),
    );
    const spaced = guesses.flatMap((guess) => [guess, " "]);
    const soFar = el("span.so-far", {}, el("span", {}, ...parts));
    setTimeout(() => soFar.classList.toggle("cut", soFar.firstChild.offsetWidth > soFar.offsetWidth), 50);
    textLine.replaceChildren(soFar, " ", el("span.next", {}, el("span.quiet", {}, "→ "), ...spaced));
  }

  /** The probability that the model gave a token that it has written. */
  const chance = (position) => el("small.chance", { title: "probability" }, num(scene.chances[position], 2));

  function showRail() {
    const last = at.stage === 5;
    rail.querySelectorAll(".stage").forEach((button, i) => {
      if (i + 1 === at.stage) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    $(".back").disabled = at.position === scene.history && at.stage === 1;
    $(".next-step").disabled = atEnd();
    $(".next-step .word").textContent = last ? "Next token" : "Next";
    rail.querySelector('.stage[data-stage="5"]').disabled = !hasStage5();
    $(".play").setAttribute("aria-pressed", String(timer !== null));
    $(".play").setAttribute("aria-label", timer === null ? "Play" : "Pause");
    $(".play").textContent = timer === null ? "▶" : "❚❚";
  }

  // The model has no position after its last one: there stage 4 is the end.
  const hasStage5 = () => at.position + 1 < scene.max_seq_len;
  const atEnd = () => at.stage === 4 && !hasStage5();

  function showStory(step, n) {
    const words = step.stages[at.stage - 1];
    const math = el("div.formula");
    math.innerHTML = words.formulas.join(" "); // our own MathML: it holds numbers, never a token
    const details = story.querySelector("details.proof");
    if (details) proofOpen = details.open;
    const whole = step.whole_step;
    story.replaceChildren(
      el(
        "section.words",
        {},
        el("div.title", {}, el("p.over", {}, `Stage ${at.stage} of 5`, el("span.quiet", {}, ` · token ${n}`)), el("h2", {}, words.title)),
        verdict ? el("p.verdict", {}, verdict) : null,
        el("p.focus", {}, words.focus),
        el("p.why", {}, words.why),
      ),
      el(
        "section.work",
        {},
        at.stage === 5 ? el("p.without", {}, step.without_cache) : null,
        math,
        el("p.quiet", {}, words.shapes),
        el("p.fact", {}, el("i.key.fresh-key"), el("b", {}, "Fresh work: "), words.fresh),
        words.read ? el("p.fact", {}, el("i.key.cached-key"), el("b", {}, "Read: "), words.read) : null,
      ),
      el(
        "section.count",
        {},
        meter(words.meter),
        proof(step.proof, proofOpen ?? root.classList.contains("wide")),
        el("p.quiet", {}, `${whole.what}, token ${n}: ${whole.cached.toLocaleString("en")} with the cache, ${whole.naive.toLocaleString("en")} without`),
      ),
    );
    live.textContent = `${verdict ?? ""} Stage ${at.stage} of 5, token ${n}, ${label(n)}: ${words.title}. ${words.focus}`;
  }

  /** The address names what is shown; written in place, so that Back leaves the page and not a stage. */
  let addressTimer = null;
  function writeUrl() {
    clearTimeout(addressTimer);
    // Not in the frame that shows the step: the browser takes a while over it.
    addressTimer = setTimeout(() => {
      const url = new URL(location.href);
      url.searchParams.set("token", at.position);
      url.searchParams.set("stage", at.stage);
      if (asking) url.searchParams.set("ask", "1");
      else url.searchParams.delete("ask");
      if (url.href !== location.href) history.replaceState(history.state, "", url);
    }, 120);
  }

  // ---- motion: short, and from where the data comes from ---------------------------------------------

  /** The newest rows, as many as the history shows. */
  const inView = (slot) => lines.slice(0, slot + 1).slice(-Math.ceil(build.body.clientHeight / build.q.node.offsetHeight));

  function animateStage(slot, shown) {
    if (at.stage === 1 || at.stage === 5) {
      for (const node of [build.q.left, build.kv.left, build.kv.right]) {
        if (node.parentElement.classList.contains("hollow")) continue;
        node.animate([{ clipPath: "inset(0 100% 0 0)" }, { clipPath: "inset(0 0 0 0)" }], EASE);
      }
    }
    if (at.stage === 2) {
      for (const cells of [lines[slot].left, lines[slot].right]) fly(root, cells, build.kv.node);
    }
    if (at.stage === 3 || at.stage === 5) {
      sweep(root, build.q.left, build.body);
    }
    if (at.stage === 4) {
      for (const line of inView(slot)) {
        if (shown.weight[line.node.dataset.row] >= 0.005) line.bar.animate([{ transform: "scaleX(0)" }, { transform: "none" }], EASE);
      }
      build.output.right.animate([{ opacity: 0, transform: "translateY(-10px)" }, { opacity: 1, transform: "none" }], { ...EASE, delay: 180, fill: "backwards" });
    }
  }

  // ---- moving ------------------------------------------------------------------------------------------

  /** Stage 5 reads the next token's step too, so that one must be recorded. */
  const recorded = ({ position, stage }) => stepAt(position) && stepAt(stage === 5 ? position + 1 : position);

  function go(position, stage) {
    if (position < scene.history) return;
    const place = { position, stage };
    if (!recorded(place)) {
      waiting = place;
      root.classList.add("waiting");
      return ask(position);
    }
    const { question } = stepAt(position).stages[stage - 1];
    const name = `${scene.id} ${position} ${stage}`;
    if (asking && !answered.has(name) && stage !== at.stage) {
      answered.add(name); // asked once: going on without an answer shows the stage
      return pose(question, place);
    }
    at = place;
    show(true);
    verdict = null;
    const end = scene.first + steps.length;
    if (position + 3 >= end && end < scene.max_seq_len) ask(position);
  }

  /** Ask before the stage is shown; the scene stays as it is until there is an answer, or the next move. */
  function pose(question, place) {
    clearInterval(timer);
    timer = null;
    showRail();
    const options = question.options.map((option, i) => {
      const button = el("button.option", { type: "button" }, option);
      button.onclick = () => {
        verdict = i === question.answer ? "✓ Right." : `✗ It is ${question.options[question.answer]}.`;
        go(place.position, place.stage);
        $(".next-step").focus();
      };
      return button;
    });
    $(".words").replaceChildren(
      el("div.title", {}, el("p.over", {}, `Before stage ${place.stage} of 5`, el("span.quiet", {}, ` · token ${place.position}`)), el("h2", {}, "What do you think?")),
      el("p.focus", {}, question.text),
      el("div.options", { role: "group", "aria-label": "Answers" }, ...options),
    );
    live.textContent = `${question.text} ${question.options.join(", ")}?`;
  }

  /** Have Python record more steps around a position, once for each place that runs short. */
  let asked = "";
  function ask(position) {
    const request = [scene.id, scene.first, steps.length, stepAt(position) ? "" : position].join(" ");
    if (request === asked) return;
    asked = request;
    send("at", { id: scene.id, position });
  }

  const next = () => {
    if (atEnd()) return play(false);
    at.stage < 5 ? go(at.position, at.stage + 1) : go(at.position + 1, 1);
  };
  const back = () => (at.stage > 1 ? go(at.position, at.stage - 1) : go(at.position - 1, 5));

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(next, SPEEDS[$(".speed").value]) : null;
    showRail();
  }

  const byHand = (move) => () => {
    if (timer !== null) play(false);
    move();
  };

  function buildRail() {
    const stages = scene.stages.map((name, i) => {
      const button = el("button.stage", { type: "button", "data-stage": i + 1 }, el("b", {}, String(i + 1)), el("span", {}, name));
      button.onclick = byHand(() => go(at.position, i + 1));
      return el("li", {}, button);
    });
    const speed = el("select.speed", { "aria-label": "Speed" }, ...Object.keys(SPEEDS).map((name) => el("option", {}, name)));
    speed.value = "1×";
    speed.onchange = () => timer !== null && play(true);
    const backButton = el("button.back", { type: "button", "aria-label": "Back", title: "Back (←)" }, "◀");
    const playButton = el("button.play", { type: "button", title: "Play or pause (P)" });
    const nextButton = el("button.next-step", { type: "button", title: "Next (→)" }, el("span.word"), " ▸");
    backButton.onclick = byHand(back);
    playButton.onclick = () => play(timer === null);
    nextButton.onclick = byHand(next);
    const ask = el("button.ask", { type: "button", "aria-pressed": String(asking), title: "Ask me before each stage", "aria-label": "Ask me before each stage" }, "?");
    ask.onclick = () => {
      asking = !asking;
      ask.setAttribute("aria-pressed", String(asking));
      writeUrl();
    };
    rail.replaceChildren(el("ol", {}, ...stages), el("div.moves", {}, ask, backButton, playButton, speed, nextButton));
  }

  const forgetKeys = stepKeys(root, byHand(next), byHand(back), { p: () => play(timer === null) });

  // ---- size --------------------------------------------------------------------------------------------

  function fit() {
    if (!scene) return;
    const phone = root.clientWidth < 600;
    const wide = root.clientWidth >= 1180;
    root.classList.toggle("wide", wide);
    root.classList.toggle("phone", phone);
    const room = grid.clientWidth || root.clientWidth;
    const [name, score, weight, gap] = phone ? [60, 34, 34, 4] : [86, 42, 92, 8];
    const matrix = Math.max(60, Math.min(34 * Math.max(16, scene.head_dim), Math.floor((room - name - score - weight - 4 * gap - 4) / 2)));
    const cell = matrix / scene.head_dim;
    root.classList.toggle("heat", cell < 21.5);
    // Sixteen rows of history, the new one and the next, whole on the screen where that is possible: with
    // them the rows of q, of k and v, and of the output, the headings, and the story where it stands below.
    const free = innerHeight - grid.getBoundingClientRect().top - scrollY - (wide ? 100 : 200);
    const row = Math.max(16, Math.min(30, Math.floor(free / 21) - 2));
    const rows = Math.max(18, Math.floor(free / (row + 2)) - 3);
    const sizes = { name, score, weight, matrix, gap, row };
    for (const [key, value] of Object.entries(sizes)) root.style.setProperty(`--${key}`, `${value}px`);
    root.style.setProperty("--rows", rows);
    build.newest = rows + 2;
    if (build.body) build.body.scrollTop = 1e9; // rows have another height now, and the newest is to be seen
    root.style.setProperty("--cell-font", `${Math.min(13, cell * 0.42, row * 0.56).toFixed(1)}px`);
  }
  const observer = new ResizeObserver(fit);
  observer.observe(root);

  // ---- Python's side -----------------------------------------------------------------------------------

  function update(data, component) {
    send = component.setStateValue;
    const themeChanged = readTheme(root);
    const fresh = data !== scene;
    if (!fresh && !themeChanged) return;
    const before = scene;
    const sameWalk = before?.id === data.id;
    const grown = sameWalk && before.first === data.first && before.layer === data.layer && before.head === data.head && !themeChanged;
    scene = data;
    tensors = Object.fromEntries(Object.entries(data.arrays).map(([name, array]) => [name, decode(array)]));
    steps = data.steps.map((step) => ({
      ...step,
      ...Object.fromEntries(["q", "score", "weight", "output"].map((name) => [name, decode(step[name]).data])),
    }));
    if (!before) buildRail();
    if (!sameWalk) build();
    if (!grown) {
      onPage = null;
      scales = { k: fullShade(tensors.k.data), v: fullShade(tensors.v.data), q: fullShade(steps[0].q) };
      refill();
      fit();
    }
    root.classList.remove("waiting");
    // A first load opens where Python says; another walk keeps the stage, and starts at its first new token.
    let place = before ? { position: sameWalk ? at.position : data.history, stage: at.stage } : data.at;
    if (sameWalk && waiting && recorded(waiting)) place = waiting;
    waiting = null;
    if (!stepAt(place.position)) place = { position: Math.max(data.first, data.history), stage: place.stage };
    if (!recorded(place)) place = { ...place, stage: 4 };
    const moved = place.position !== at.position || place.stage !== at.stage;
    at = place;
    if (!grown || moved) show(grown);
    else writeUrl();
  }

  return {
    update,
    destroy() {
      clearInterval(timer);
      clearTimeout(addressTimer);
      observer.disconnect();
      inSight?.disconnect();
      forgetKeys();
    },
  };
}
