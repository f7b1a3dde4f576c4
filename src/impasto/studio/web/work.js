// What is being done or was done: trainings, folders, videos, reports. Asks the server as long as somebody looks.
const { el, clock, why, shown, sentence } = window.impasto;
const root = element.querySelector(".work"), list = root.querySelector(".work-list");
const { scope, none } = props.value ?? {};
const STORE = `impasto-${scope}`;
const WORDS = {
  waiting: "waiting", running: "running", paused: "paused", interrupted: "interrupted",
  done: "done", failed: "failed", cancelled: "cancelled",
};
const ACTIONS = {
  pause: "Pause", resume: "Resume", finish: "Stop and keep it", cancel: "Cancel", remove: "Remove",
  discard: "Delete this style",
};
const SURE = ["cancel", "remove", "discard"];
const THINKING = 4000;
root.querySelector(".work-none").textContent = none ?? "";
const cards = new Map();
let mine = stored();

function stored() {
  try { return [JSON.parse(localStorage.getItem(STORE) ?? "[]")].flat(); } catch { return []; }
}

// Another page may have begun something meanwhile, which is this visitor's as well.
function keep(begun = [], gone = null) {
  mine = [...new Set([...stored(), ...mine, ...begun])].filter((id) => id !== gone);
  try { localStorage.setItem(STORE, JSON.stringify(mine.slice(-30))); } catch { /* a private window */ }
}

// What cannot be undone asks once more.
function asksAgain(job, action, button) {
  if (!SURE.includes(action) || !["train", "judge"].includes(job.kind) || button.dataset.sure) return false;
  const label = button.textContent;
  button.dataset.sure = "yes";
  button.textContent = `Really ${label.toLowerCase()}?`;
  setTimeout(() => {
    delete button.dataset.sure;
    button.textContent = label;
  }, THINKING);
  return true;
}

async function act(job, action, button) {
  if (asksAgain(job, action, button)) return;
  button.disabled = true;
  try {
    const { error } = await server.act({ id: job.id, action });
    cards.get(job.id)?.refuse(error ?? "");
    if (["remove", "discard"].includes(action) && !error) keep([], job.id);
  } catch (problem) {
    cards.get(job.id)?.refuse(why(problem));
  }
  button.disabled = false;
  await look();
}

function curve(points) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 300 90");
  svg.setAttribute("preserveAspectRatio", "none");
  const names = ["style_loss", "content_loss"];
  const values = names.flatMap((name) => points.map((point) => point[name])).filter((value) => value > 0);
  if (points.length < 2 || !values.length) return null;
  const low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values));
  const first = points[0].iteration, last = points.at(-1).iteration;
  for (const name of names) {
    const line = document.createElementNS(svg.namespaceURI, "polyline");
    line.setAttribute("class", `line-${name.split("_")[0]}`);
    line.setAttribute("points", points.filter((point) => point[name] > 0).map((point) => {
      const x = 300 * (point.iteration - first) / Math.max(1, last - first);
      return `${x.toFixed(1)},${(86 - 82 * (Math.log(point[name]) - low) / Math.max(1e-9, high - low)).toFixed(1)}`;
    }).join(" "));
    svg.append(line);
  }
  return svg;
}

class Card {
  constructor(job) {
    this.title = el("h4"); this.state = el("span", { className: "state" });
    this.bar = el("progress", { max: 1 }); this.what = el("p", { className: "what", role: "status" });
    this.error = el("p", { className: "bad", role: "alert" }); this.actions = el("div", { className: "actions" });
    this.files = el("div", { className: "files" }); this.more = el("div", { className: "more-of-it" });
    this.pictures = el("div", { className: "pictures" }); this.notes = el("p", { className: "what notes" });
    this.element = el("article", { className: `card card-${job.kind}` },
      el("header", {}, this.title, this.state), this.bar, this.what, this.notes, this.error,
      ...(job.kind === "judge" ? [this.more, this.pictures] : [this.pictures, this.more]),
      el("div", { className: "foot" }, this.files, this.actions));
    this.element.dataset.id = job.id;
  }

  // Why the last action was not done; it stays until the next one, or until the job has gone on.
  refuse(text) { this.refused = text; }

  update(job) {
    if (job.state !== this.element.dataset.state) this.refused = "";
    this.element.dataset.state = job.state;
    this.title.textContent = job.title;
    this.state.textContent = WORDS[job.state] ?? job.state;
    this.bar.value = job.done;
    this.bar.setAttribute("aria-label", `${job.title}: ${Math.round(100 * job.done)} percent`);
    const left = job.state === "running" && job.remaining != null ? `about ${clock(job.remaining)} left` : "";
    const ahead = job.state === "waiting" && job.ahead ? `${job.ahead} before it` : "";
    this.what.textContent = [job.what, left, ahead].filter(Boolean).join(" · ");
    const wrong = sentence(this.refused || job.error);
    if (this.error.textContent !== wrong) this.error.textContent = wrong;
    this.notes.textContent = job.notes.join(" · ");
    this.once("actions", [job.state, job.actions], () => this.actions.replaceChildren(...job.actions.map((action) => {
      const button = el("button", { type: "button", className: "button" },
        job.state === "failed" && action === "resume" ? "Try again" : ACTIONS[action]);
      if (action === "resume") button.classList.add("primary");
      button.addEventListener("click", () => act(job, action, button));
      return button;
    })));
    this.once("files", job.results, () => this.files.replaceChildren(...job.results.map((file) =>
      el("a", { href: file.url, download: file.name, className: "button primary" }, `Download ${file.label}`))));
    this.once("pictures", job.pictures, () => this.pictures.replaceChildren(...job.pictures.map((one) =>
      el("figure", {}, one.video ? el("video", { src: one.url, controls: true, loop: true, muted: true })
        : el("img", { src: one.url, alt: one.label }), el("figcaption", {}, one.label)))));
    this.once("more", [job.curve?.length, job.curve?.at(-1)?.iteration, job.report], () => {
      const drawn = job.curve ? curve(job.curve) : null;
      this.more.replaceChildren();
      if (drawn) this.more.append(drawn, el("p", { className: "legend" }, el("b", { className: "line-style" }, "style loss"),
        el("b", { className: "line-content" }, "content loss")));
      if (job.report) this.more.append(report(job.report));
    });
  }

  once(name, value, draw) {
    const now = JSON.stringify(value ?? null);
    if (this[`last_${name}`] === now) return;
    this[`last_${name}`] = now;
    if (value) draw();
  }
}

function report(found) {
  const body = el("tbody", {}, ...found.rows.map((row) =>
    el("tr", {}, el("th", { scope: "row" }, row[0]), ...row.slice(1).map((cell) => el("td", {}, cell)))));
  const head = el("thead", {}, el("tr", {}, ...found.columns.map((name) => el("th", { scope: "col" }, name))));
  return el("div", { className: "report" }, el("p", { className: "headline" }, found.headline),
    el("div", { className: "scroll", tabIndex: 0 }, el("table", {}, head, body)), el("p", { className: "hint" }, found.judge));
}

function draw(jobs) {
  const seen = new Set(jobs.map((job) => job.id));
  for (const [id, card] of cards) if (!seen.has(id)) { card.element.remove(); cards.delete(id); }
  jobs.forEach((job, place) => {
    if (!cards.has(job.id)) cards.set(job.id, new Card(job));
    const card = cards.get(job.id);
    card.update(job);
    // What is moved loses the keyboard's focus, and a clip that plays stops.
    if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
  });
  root.classList.toggle("some", jobs.length > 0);
  const finished = jobs.filter((job) => job.state === "done").map((job) => job.id).join();
  if (draw.finished !== undefined && draw.finished !== finished) trigger("finished");
  draw.finished = finished;
}

let asking = false;
async function look() {
  if (asking) return;
  asking = true;
  try {
    draw(await server.status({ ids: mine }));
    root.classList.remove("away");
  } catch {
    root.classList.add("away");
  }
  asking = false;
}

let rest = 0;
setInterval(() => {
  if (!element.isConnected || !shown(root)) return;
  const active = [...cards.values()].some((card) => ["running", "waiting"].includes(card.element.dataset.state));
  rest = (rest + 1) % 4;
  if (active || rest === 0) look();
}, 1000);
watch("value", () => {
  keep([props.value?.begun ?? []].flat());
  look();
});
look();
