// A place for files: dropped or chosen, shown, uploaded.
const { el, takeFiles, why, size } = window.impasto;
const root = element.querySelector(".drop");
const input = root.querySelector("input"), list = root.querySelector(".drop-files"), note = root.querySelector(".drop-note");
const asked = { ...(props.value ?? {}) };
const SHOWN = 12, AT_ONCE = 3, SHOWN_FAILED = 3;
let files = [];

root.querySelector("strong").textContent = asked.title ?? "Drop files here";
root.querySelector(".hint").textContent = asked.hint ?? "";
input.accept = asked.accept ?? "";
input.multiple = !!asked.multiple;
input.setAttribute("aria-label", asked.title ?? "Choose files");

function say(text, bad = false) {
  note.textContent = text;
  note.classList.toggle("bad", bad);
}

function some(failed) {
  const more = failed.length - SHOWN_FAILED;
  return failed.slice(0, SHOWN_FAILED).join("; ") + (more > 0 ? `; and ${more} more` : "");
}

// Whether a file is of a kind that is taken here, by what the browser takes it for or by how its name ends.
function fits(file) {
  const kinds = (asked.accept ?? "").split(",").filter(Boolean);
  const is = (kind) => kind.startsWith(".") ? file.name.toLowerCase().endsWith(kind)
    : kind.endsWith("/*") ? file.type.startsWith(kind.slice(0, -1)) : file.type === kind;
  return !kinds.length || kinds.some(is);
}

function draw() {
  const cards = files.slice(0, SHOWN).map((one) => {
    const remove = el("button", { type: "button", "aria-label": `Leave out ${one.name}`, title: "Leave out" }, "×");
    remove.addEventListener("click", () => {
      files = files.filter((other) => other !== one);
      told();
    });
    const picture = one.preview ? el("img", { src: one.preview, alt: "" }) : el("i", {}, one.name.split(".").pop());
    return el("div", { className: "drop-file", role: "listitem", title: `${one.name}, ${size(one.bytes)}` }, picture, remove);
  });
  if (files.length > SHOWN) cards.push(el("span", { className: "more" }, `and ${files.length - SHOWN} more`));
  list.replaceChildren(...cards);
  root.classList.toggle("some", files.length > 0);
}

function told() {
  draw();
  props.value = { ...asked, files: files.map((one) => one.data) };
  trigger("files");
}

async function take(chosen) {
  if (!chosen.length) return say("There is nothing in it that can be used here", true);
  const known = chosen.filter(fits);
  const most = asked.multiple ? asked.most ?? 1000 : 1;
  const allowed = known.slice(0, most);
  const failed = chosen.filter((file) => !fits(file)).map((file) => `${file.name} is of a kind that cannot be used here`);
  if (!allowed.length) return say(some(failed), true);
  if (!asked.multiple) files = [];
  let done = 0;
  const waiting = [...allowed];
  const one = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      try {
        const stored = await upload(file);
        const data = { path: stored.path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
        const shows = /^image\/(jpeg|png|webp|gif|bmp)$/.test(file.type) && files.length < SHOWN;
        files.push({ name: file.name, bytes: file.size, data, preview: shows ? URL.createObjectURL(file) : null });
      } catch (problem) {
        failed.push(`${file.name} could not be taken: ${why(problem)}`);
      }
      done += 1;
      say(done < allowed.length ? `Taking ${done} of ${allowed.length} …` : "");
    }
  };
  say(allowed.length > 1 ? `Taking ${allowed.length} files …` : `Taking ${allowed[0].name} …`);
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  if (known.length > most) failed.push(`${most === 1 ? "one" : `only ${most}`} at a time; the others were left out`);
  say(some(failed), failed.length > 0);
  told();
}

takeFiles(root, input, take);
watch("value", () => {
  if (props.value?.clear && files.length) {
    files = [];
    say("");
    told();
  }
});
