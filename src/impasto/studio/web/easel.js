// The photo being painted: dropped, pasted or chosen; photo and painting behind a slider; the last results.
const { el, takeFiles, why, sentence, alive, AWAY } = window.impasto;
const root = element.querySelector(".easel");
const find = (selector) => root.querySelector(selector);
const before = find(".before"), after = find(".after"), picture = find(".easel-picture");
const error = find(".easel-error"), note = find(".easel-note"), slider = find("input[type=range]");
const invitation = find(".drop-target strong"), invited = invitation.textContent;
const KEPT = 8, SETTLED = 900, PATIENCE = 4000, STORE = "impasto-easel";
const recent = [];
let settling, watching, painted = "";

function say(text) {
  error.textContent = sentence(text);
}

// Told below the photo, and as long as there is none where it is to appear.
function opening(text) {
  note.textContent = text || sizeOf(props.value?.photo);
  invitation.textContent = text || invited;
}

function busy(on) {
  root.classList.toggle("busy", on);
  clearInterval(watching);
  if (!on) return;
  watching = setInterval(async () => {
    if (await alive()) return;
    busy(false);
    opening("");
    say(AWAY);
  }, PATIENCE);
}

async function open(file) {
  say("");
  busy(true);
  opening(`Opening ${file.name || "your photo"} …`);
  try {
    const stored = await upload(file);
    const data = { path: stored.path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
    props.value = { ...props.value, file: data, sample: null };
    trigger("drop");
  } catch (problem) {
    busy(false);
    opening("");
    say(`${file.name || "The photo"} could not be taken: ${why(problem)}`);
  }
}

for (const zone of [find(".easel-empty"), picture]) {
  takeFiles(zone, find(".easel-empty input"), (files) => files.length && open(files[0]));
}
find(".easel-bar input").addEventListener("change", (event) => {
  if (event.target.files.length) open(event.target.files[0]);
  event.target.value = "";
});
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (file && window.impasto.shown(root)) open(file);
});

function compare() {
  picture.style.setProperty("--split", `${slider.value}%`);
}
slider.addEventListener("input", compare);
compare();

find(".easel-full").addEventListener("click", () => {
  find(".easel-full").disabled = true;
  trigger("full");
});

function remember(value) {
  if (recent.some((one) => one.after === value.after)) return;
  recent.unshift({ ...value });
  recent.length = Math.min(recent.length, KEPT);
  try { sessionStorage.setItem(STORE, JSON.stringify(recent)); } catch { /* a private window */ }
  drawRecent();
}

function drawRecent() {
  const strip = find(".recent-strip");
  strip.replaceChildren(...recent.map((one) => {
    const button = el("button", { type: "button", title: one.title, "aria-label": `Back to ${one.title}` });
    button.append(el("img", { src: one.after, alt: "" }), el("span", {}, one.title));
    button.addEventListener("click", () => {
      props.value = { ...one };
      show();
      trigger("recall");
    });
    return button;
  }));
  find(".recent").classList.add("some");
}

function sizeOf(photo) {
  return photo ? `${photo.width} × ${photo.height}` : "";
}

function show() {
  const value = props.value ?? {};
  say(value.error ?? "");
  if (!find(".easel-samples div").children.length) {
    find(".easel-samples div").append(...(value.samples ?? []).map((sample) => {
      const button = el("button", { type: "button", "aria-label": `Take the sample photo ${sample.name}` });
      button.append(el("img", { src: sample.url, alt: "" }));
      button.addEventListener("click", () => {
        busy(true);
        props.value = { ...props.value, file: null, sample: sample.name };
        trigger("drop");
      });
      return button;
    }));
  }
  find(".easel-full").disabled = !value.after;
  if (value.error) {
    busy(false);
    opening("");
  }
  if (!value.photo) return;
  root.dataset.state = "full";
  if (before.getAttribute("src") !== value.photo.before) {
    before.src = value.photo.before;
    after.removeAttribute("src");
    picture.style.setProperty("--shape", `${value.photo.width} / ${value.photo.height}`);
    const ratio = value.photo.width / value.photo.height;
    picture.style.setProperty("--ratio", ratio);
    picture.classList.toggle("thin", ratio > 6 || ratio < 0.3);
  }
  note.textContent = sizeOf(value.photo);
  if (!value.after || value.after === painted) return;
  painted = value.after;
  const next = new Image();
  next.onload = () => {
    if (painted !== value.after) return;
    after.src = value.after;
    busy(false);
    clearTimeout(settling);
    settling = setTimeout(() => remember(value), SETTLED);
  };
  next.onerror = () => busy(false);
  next.src = value.after;
}
// What was on the easel before the page was loaded anew, where the studio still has it.
async function restore() {
  let kept = [];
  try { kept = [JSON.parse(sessionStorage.getItem(STORE) ?? "[]")].flat(); } catch { return; }
  const there = kept.length && (await fetch(kept[0].after).then((answer) => answer.ok, () => false));
  if (!there || props.value?.photo) return;
  recent.push(...kept);
  drawRecent();
  props.value = { ...kept[0], samples: props.value?.samples };
  show();
  trigger("recall");
}
watch("value", show);
show();
setTimeout(restore, 300);
window.impasto.busy = busy;
window.impasto.fullDone = () => { find(".easel-full").disabled = !props.value?.after; };
